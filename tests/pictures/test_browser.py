"""The pages as a person sees them: on a desk, on a phone, on paper."""

import base64
import io
from pathlib import Path

import pytest
from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.by import By

from cnnctl.evaluation.report.write import write_report
from cnnctl.explaining.sections import Section, Shown
from cnnctl.pictures.page import render
from cnnctl.runs import Run
from tests.conftest import Trained

PHONE, DESK = (390, 844), (1280, 900)
_STATE = """
return {
  wider: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  pictures: [...document.images].map(one => [one.complete && one.naturalWidth > 0, one.alt]),
  fetched: performance.getEntriesByType('resource').map(one => one.name).filter(name => !name.startsWith('data:')),
  links: [...document.querySelectorAll('a')].map(one => one.getAttribute('href')),
}
"""


def page_of_an_explanation(folder: Path) -> Path:
    content = io.BytesIO()
    Image.new("RGB", (1600, 700), "navy").save(content, "png")
    shown = Shown("maps.png", "Feature maps", "What is seen. " * 20, content.getvalue())
    sections = [Section("Maps", "", (shown, shown)), Section("Kernels", "x" * 200, ())]
    path = folder / "explanation.html"
    html = render("explanation.html", heading="What it sees", subtitle="a/" * 90, answer="cat", sections=sections)
    path.write_text(html)
    return path


@pytest.fixture(params=["report", "explanation"])
def page(request, digits_run: Trained, tmp_path: Path) -> Path:
    return write_report(Run(digits_run.run)) if request.param == "report" else page_of_an_explanation(tmp_path)


@pytest.mark.parametrize("size", [PHONE, DESK])
def test_everything_is_there_and_nothing_is_fetched(
    browser: webdriver.Chrome, page: Path, size: tuple[int, int]
) -> None:
    browser.set_window_size(*size)
    browser.get(page.absolute().as_uri())
    state = browser.execute_script(_STATE)
    assert state["wider"] <= 0
    assert state["pictures"]
    assert all(loaded and text for loaded, text in state["pictures"])
    assert state["fetched"] == []
    assert browser.get_log("browser") == []
    assert bool(state["links"]) == (page.name == "report.html")
    for link in state["links"]:
        assert browser.find_elements(By.ID, link.removeprefix("#")), link
    with Image.open(io.BytesIO(browser.get_screenshot_as_png())) as screenshot:
        assert len(screenshot.convert("RGB").getcolors(2**24) or ()) > 20


_SIDEWAYS = """
return [...document.querySelectorAll('body *')]
  .filter(one => one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).overflowX !== 'visible'
    || one.getBoundingClientRect().right > window.innerWidth + 1)
  .map(one => one.outerHTML.slice(0, 80))
"""
_BROKEN = """
const broken = [];
for (const cell of document.querySelectorAll('th, td, p, figcaption')) {
  for (const text of [...cell.childNodes].filter(one => one.nodeType === Node.TEXT_NODE)) {
    for (const word of text.data.matchAll(/\\S+/g)) {
      const range = document.createRange();
      range.setStart(text, word.index);
      range.setEnd(text, word.index + word[0].length);
      if (new Set([...range.getClientRects()].map(one => one.top)).size > 1) broken.push(word[0]);
    }
  }
}
return broken;
"""


def test_on_a_phone_everything_fits_and_words_stay_whole(browser: webdriver.Chrome, page: Path) -> None:
    metrics = {"width": PHONE[0], "height": PHONE[1], "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        browser.get(page.absolute().as_uri())
        assert browser.execute_script("return document.documentElement.scrollWidth") == PHONE[0]
        assert browser.execute_script(_SIDEWAYS) == []
        assert [word for word in browser.execute_script(_BROKEN) if len(word) <= 20 and "-" not in word] == []
        for picture in browser.find_elements(By.TAG_NAME, "img"):
            assert picture.size["width"] <= PHONE[0]
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_on_a_desk_pictures_stand_side_by_side(browser: webdriver.Chrome, page: Path) -> None:
    browser.set_window_size(*DESK)
    browser.get(page.absolute().as_uri())
    tops = [one.location["y"] for one in browser.find_elements(By.CSS_SELECTOR, ".figures figure:not(.wide)")]
    wide = browser.find_elements(By.CSS_SELECTOR, ".figures figure.wide")
    assert len(set(tops)) <= (len(tops) + 1) // 2
    assert all(one.size["width"] > DESK[0] / 2 for one in wide)
    assert tops if page.name == "report.html" else wide


def test_a_report_begins_with_its_sentence_and_uses_the_desk(browser: webdriver.Chrome, digits_run: Trained) -> None:
    browser.set_window_size(1400, 900)
    browser.get(write_report(Run(digits_run.run)).absolute().as_uri())
    assert browser.find_element(By.TAG_NAME, "p").text.startswith("Right on ")
    assert browser.find_element(By.TAG_NAME, "body").size["width"] > 1300
    figures = browser.find_elements(By.CSS_SELECTOR, "#result .figures figure:not(.wide)")
    assert len({one.location["y"] for one in figures[:3]}) == 1
    table, samples = browser.find_elements(By.CSS_SELECTOR, "#data .beside > *")
    assert table.location["y"] == pytest.approx(samples.location["y"], abs=20)


def test_a_report_can_be_printed(browser: webdriver.Chrome, digits_run: Trained) -> None:
    browser.set_window_size(*DESK)
    browser.get(write_report(Run(digits_run.run)).absolute().as_uri())
    paper = {"paperWidth": 8.27, "paperHeight": 11.69}
    content = base64.b64decode(browser.execute_cdp_cmd("Page.printToPDF", paper)["data"])
    assert content.startswith(b"%PDF-")
    assert 2 <= content.count(b"/Type /Page\n") + content.count(b"/Type /Page ") <= 20
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert not browser.find_element(By.TAG_NAME, "nav").is_displayed()
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
