"""The page of `cnnctl serve`, as a person uses it: dropping, pasting, choosing, by keyboard, on a phone."""

import base64
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from cnnctl.data.sources import digits_folder
from tests.conftest import Trained
from tests.serving.build import Served, serving

PHONE, DESK = (390, 844), (1280, 900)
_GIVE = """
const bytes = Uint8Array.from(atob(arguments[1]), (char) => char.charCodeAt(0));
const data = new DataTransfer();
data.items.add(new File([bytes], arguments[2], { type: arguments[3] }));
document.body.dispatchEvent(arguments[0] === "drop"
  ? new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true })
  : new ClipboardEvent("paste", { clipboardData: data, bubbles: true }));
"""


@pytest.fixture(scope="module")
def server(digits_run: Trained) -> Iterator[Served]:
    with serving(digits_run.run, "--max-megabytes", "2") as served:
        yield served


@pytest.fixture
def page(browser: webdriver.Chrome, server: Served) -> Iterator[webdriver.Chrome]:
    browser.set_window_size(*DESK)
    browser.get(server.url)
    until(browser, lambda: browser.find_element(By.ID, "run").text == "digits 1")
    yield browser
    assert browser.get_log("browser") == []


def digit() -> Path:
    return digits_folder() / "3" / "0003.png"


def until(browser: webdriver.Chrome, done, seconds: float = 150) -> None:
    WebDriverWait(browser, seconds, poll_frequency=0.05).until(lambda _: done())


def give(browser: webdriver.Chrome, how: str, content: bytes, name: str = "a.png", kind: str = "image/png") -> None:
    browser.execute_script(_GIVE, how, base64.b64encode(content).decode(), name, kind)


def answered(browser: webdriver.Chrome, answer: str) -> None:
    until(browser, lambda: browser.find_element(By.ID, "answer").text.startswith(f"{answer} ("))
    until(browser, lambda: browser.find_element(By.ID, "result").is_displayed())


def said(browser: webdriver.Chrome) -> str:
    return browser.find_element(By.ID, "error").text


def predicted(server: Served, content: bytes) -> list[dict[str, object]]:
    return server.raw(content, "/v1/predict?top=10").json[0]["top"]


def sideways(browser: webdriver.Chrome) -> int:
    return browser.execute_script("return document.documentElement.scrollWidth - document.documentElement.clientWidth")


def test_a_chosen_image_gets_bars_and_its_pixels(page: webdriver.Chrome, server: Served) -> None:
    expected = predicted(server, digit().read_bytes())
    page.find_element(By.ID, "file").send_keys(str(digit()))
    answered(page, str(expected[0]["label"]))
    rows = page.find_elements(By.CSS_SELECTOR, "#bars tr")
    assert [row.find_element(By.TAG_NAME, "th").text for row in rows] == [one["label"] for one in expected]
    widths = [row.find_element(By.TAG_NAME, "i").size["width"] for row in rows]
    assert widths == sorted(widths, reverse=True)
    assert [row.find_element(By.CLASS_NAME, "number").text for row in rows] == [
        f"{100 * one['probability']:.1f}%" for one in expected
    ]
    until(page, lambda: page.execute_script("return document.getElementById('seen').naturalWidth") == 8)
    assert "8x8, grey" in page.find_element(By.ID, "result").text
    fetched = page.execute_script("return performance.getEntriesByType('resource').map(one => one.name)")
    assert all(name.startswith((server.url, "blob:")) for name in fetched)


@pytest.mark.parametrize("how", ["drop", "paste"])
def test_dropped_and_pasted(how: str, page: webdriver.Chrome, server: Served) -> None:
    content = (digits_folder() / "0" / "0000.png").read_bytes()
    give(page, how, content)
    answered(page, str(predicted(server, content)[0]["label"]))


def test_the_places_that_speak_for_it(page: webdriver.Chrome) -> None:
    give(page, "drop", digit().read_bytes())
    until(page, lambda: page.find_element(By.ID, "explain").is_displayed())
    page.find_element(By.ID, "explain").click()
    until(page, lambda: len(page.find_elements(By.CSS_SELECTOR, "#maps img")) == 3, 90)
    for image in page.find_elements(By.CSS_SELECTOR, "#maps img"):
        until(page, lambda image=image: page.execute_script("return arguments[0].naturalWidth", image) > 300)
        assert image.get_attribute("alt")


def test_mistakes_are_said_and_do_not_stay(page: webdriver.Chrome, server: Served) -> None:
    give(page, "drop", b"some text", "a.txt", "text/plain")
    until(page, lambda: "it is a text file" in said(page))
    assert not page.find_element(By.ID, "result").is_displayed()
    give(page, "drop", b"\0" * 2_000_001)
    until(page, lambda: "the file is larger than 2 MB" in said(page))
    give(page, "drop", digit().read_bytes())
    until(page, lambda: page.find_element(By.ID, "result").is_displayed())
    assert said(page) == ""
    page.get_log("browser")  # Chromium notes the 415


def test_names_of_classes_and_reasons_are_text(page: webdriver.Chrome) -> None:
    page.execute_script("draw({label: '<img src=x>', probability: 1, top: [{label: '<b>x</b>', probability: 1}]})")
    assert page.find_elements(By.CSS_SELECTOR, "#answer img, #bars b") == []
    assert page.execute_script("return document.getElementById('answer').textContent") == "<img src=x> (100.0%)"


def test_by_keyboard(page: webdriver.Chrome) -> None:
    webdriver.ActionChains(page).send_keys(Keys.TAB).perform()
    assert page.switch_to.active_element.get_attribute("id") == "file"
    assert page.switch_to.active_element.accessible_name == "Choose an image"
    assert page.find_element(By.CSS_SELECTOR, "label.button").value_of_css_property("outline-style") == "solid"
    give(page, "paste", digit().read_bytes())
    until(page, lambda: page.find_element(By.ID, "explain").is_displayed())
    while page.switch_to.active_element.get_attribute("id") in ("file", "camera"):
        webdriver.ActionChains(page).send_keys(Keys.TAB).perform()
    assert page.switch_to.active_element.get_attribute("id") == "explain"
    assert page.switch_to.active_element.value_of_css_property("outline-style") == "solid"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone(scheme: str, page: webdriver.Chrome, tmp_path: Path) -> None:
    metrics = {"width": PHONE[0], "height": PHONE[1], "deviceScaleFactor": 2, "mobile": True}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    page.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": True})
    page.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    )
    try:
        page.refresh()
        until(page, lambda: page.find_element(By.ID, "run").text == "digits 1")
        page.find_element(By.ID, "file").send_keys(str(digit()))
        until(page, lambda: page.find_element(By.ID, "result").is_displayed())
        assert sideways(page) <= 0
        page.execute_script(
            "draw({label: 'a', probability: 1, top: ['golden_retriever', 'x'.repeat(200), 'Irish water spaniel']"
            ".map(label => ({label, probability: 1}))})"
        )
        assert sideways(page) <= 0
        heights = [row.size["height"] for row in page.find_elements(By.CSS_SELECTOR, "#bars th")]
        assert heights[0] < 50 < heights[1]
        for button in page.find_elements(By.CSS_SELECTOR, ".button, button"):
            if button.is_displayed():
                assert button.size["height"] >= 44
        with Image.open(io.BytesIO(page.get_screenshot_as_png())) as screenshot:
            red, green, blue = screenshot.convert("RGB").getpixel((4, 4))
            assert (red + green + blue > 600) == (scheme == "light")
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        page.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": False})
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_several_labels_are_ticked_and_thresholds_marked(browser: webdriver.Chrome, several_run: Trained) -> None:
    image = digits_folder() / "8" / sorted(path.name for path in (digits_folder() / "8").iterdir())[0]
    with serving(several_run.run) as server:
        (row,) = server.raw(image.read_bytes(), "/v1/predict?top=10").json
        model = server.ask("GET", "/v1/model").json
        browser.set_window_size(*DESK)
        browser.get(server.url)
        until(browser, lambda: "of which an image may have several" in browser.find_element(By.ID, "about").text)
        browser.find_element(By.ID, "file").send_keys(str(image))
        given = [one["label"] for one in row["labels"]]
        assert given
        answered(browser, ", ".join(given))
        assert sideways(browser) <= 0
        bars = browser.find_elements(By.CSS_SELECTOR, "#bars tr")
        names = [bar.find_element(By.TAG_NAME, "th").text for bar in bars]
        ticked = {name.removeprefix("\u2713 ") for name in names if name.startswith("\u2713")}
        assert ticked == set(given)
        assert len(browser.find_elements(By.CSS_SELECTOR, "#bars tr.answer")) == len(given)
        thresholds = dict(zip(model["classes"], model["thresholds"], strict=True))
        for name, bar in zip(names, bars, strict=True):
            cell, line = (bar.find_element(By.CSS_SELECTOR, which) for which in ("td.bar", "td.bar s"))
            place = (line.rect["x"] + 1 - cell.rect["x"]) / cell.rect["width"]
            assert abs(place - thresholds[name.removeprefix("\u2713 ")]) < 0.01
        caption = browser.find_element(By.ID, "caption").text
        assert "the 10 most probable of 12 classes" in caption
        assert f"the ticked labels and no others: {100 * row['probability']:.1f}%" in caption
    assert browser.get_log("browser") == []
