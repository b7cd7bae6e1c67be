"""cnnctl-light: the same package in an environment that has its few dependencies, where it uses what cnnctl trained."""

import json
import re
import shutil
import subprocess
import tomllib
import urllib.request
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import cnnctl
from cnnctl.errors import how_to_install
from tests.conftest import Trained
from tests.packaging.build import ROOT, Installed, build, copy_checkout, environment, install
from tests.packaging.dockerfile import faults, read
from tests.serving.build import READY

LIGHT = ROOT / "packaging" / "light"
DOCKERFILE = LIGHT / "Dockerfile"
HEAVY = {"gpu", "jax", "litert", "mlflow", "openvino", "pretrained", "ray", "sweep", "tensorboard", "test", "wandb"}
"""The extras of cnnctl that are for training."""
WHOLE = "pip uninstall cnnctl-light, then pip install . from a checkout of cnnctl"


def told(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / "pyproject.toml").read_text())


def needed(project: dict[str, Any], *extras: str) -> Iterator[str]:
    """The names of the installed distributions that a project needs, and those that they need."""
    wanted = [Requirement(text) for text in project["dependencies"]]
    wanted += [Requirement(text) for extra in extras for text in project["optional-dependencies"][extra]]
    seen: set[str] = set()
    while wanted:
        one = wanted.pop()
        if one.marker is not None and not any(one.marker.evaluate({"extra": extra}) for extra in (*one.extras, "")):
            continue
        name = canonicalize_name(one.name)
        if name not in seen:
            seen.add(name)
            yield name
            inner = [Requirement(text) for text in distribution(name).requires or ()]
            # an extra of this one is asked for by its marker
            for each in inner:
                if each.marker is None or any(each.marker.evaluate({"extra": extra}) for extra in (*one.extras, "")):
                    each.marker = None
                    wanted.append(each)


def link(names: Iterator[str], folder: Path) -> Path:
    """A folder that has installed distributions, and no others."""
    folder.mkdir()
    for name in names:
        found = distribution(name)
        for top in {path.parts[0] for path in found.files or () if path.parts[0] not in ("..", "__pycache__")}:
            if not (folder / top).exists():
                (folder / top).symlink_to(Path(str(found.locate_file(top))))
    return folder


@pytest.fixture(scope="module")
def light(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("light")
    source = copy_checkout(folder, ("cnnctl", "packaging"), ("LICENSE",))
    build(source / "packaging" / "light", folder, "wheel")
    (wheel,) = folder.glob("cnnctl_light-*.whl")
    return install(wheel, folder, link(needed(told(LIGHT)["project"], "serve"), folder / "packages"))


@pytest.fixture(scope="module")
def run(light: Installed, digits_run: Trained) -> Path:
    """A run that was trained elsewhere: this user's cache does not know it."""
    return Path(shutil.copytree(digits_run.run, light.folder / "run"))


@pytest.fixture(autouse=True)
def _no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container that nobody may write into."""
    monkeypatch.setenv("HOME", "/nonexistent")
    monkeypatch.setenv("XDG_CACHE_HOME", "/nonexistent/cache")


def test_both_distributions_say_the_same() -> None:
    whole, small = told(ROOT), told(LIGHT)
    ranges = {Requirement(text).name: text for text in whole["project"]["dependencies"]}
    for text in small["project"]["dependencies"]:
        assert ranges[Requirement(text).name] == text
    extras = whole["project"]["optional-dependencies"]
    assert small["project"]["optional-dependencies"] == {
        "pictures": [ranges["matplotlib"]],
        **{name: wanted for name, wanted in extras.items() if name not in HEAVY},
    }
    for key in ("requires-python", "license", "license-files", "authors", "dynamic", "scripts"):
        assert small["project"][key] == whole["project"][key]
    assert small["build-system"] == whole["build-system"]
    for key in ("dynamic", "package-data"):
        assert small["tool"]["setuptools"][key] == whole["tool"]["setuptools"][key]
    assert (LIGHT / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_it_holds_the_same_package(light: Installed) -> None:
    (site,) = (light.python.parent.parent / "lib").glob("python*/site-packages")
    held = {path.relative_to(site).as_posix() for path in (site / "cnnctl").rglob("*") if path.is_file()}
    here = {path.relative_to(ROOT).as_posix() for path in (ROOT / "cnnctl").rglob("*") if path.is_file()}
    assert {name for name in held if "__pycache__" not in name} == {name for name in here if "__pycache__" not in name}
    assert len(list(site.glob("cnnctl_light-*.dist-info/licenses/LICENSE"))) == 1
    assert light.run("--version") == f"cnnctl {cnnctl.__version__}\n"


def test_it_predicts_with_what_the_whole_trained(light: Installed, run: Path, digits_run: Trained) -> None:
    image = light.folder / "digit.png"
    cv2.imwrite(str(image), np.full((8, 8), 128, np.uint8))
    (answer,) = json.loads(light.run("predict", str(image), "--run", str(run), "--format", "json"))
    expected = cnnctl.Predictor(digits_run.run).predict(image)
    assert answer["top"][0]["label"] == expected.label
    assert answer["top"][0]["probability"] == pytest.approx(expected.probability, abs=1e-6)


def test_it_summarises_and_looks_at_kernels_and_says_what_the_rest_needs(
    light: Installed, run: Path, digits_run: Trained
) -> None:
    cv2.imwrite(str(light.folder / "digit.png"), np.zeros((8, 8), np.uint8))
    matrix = ("[[0,1,2],[3,4,5],[6,7,8]]", "--kernel", "[[0,1],[2,3]]", "--numbers")
    heavy = (
        *(("train", "digits.yaml"), ("evaluate", "run"), ("report", "run"), ("export", "run")),
        ("explain", "digit.png", "--run", "run"),
        ("export", "run", "--format", "litert"),
    )
    commands = [
        *(("summary", str(run), "--json"), ("runs", ".", "--json"), ("convolve", *matrix)),
        *(("init", "--example", "digits"), ("convolve", "digit.png"), *heavy),
    ]
    said = outputs(light, commands)
    (summary, _), (runs, _), (numbers, _), (example, _), (drawing, code), *refused = said
    assert json.loads(summary)["total_params"] == cnnctl.summarize(digits_run.run).total_params
    assert [one["status"] for one in json.loads(runs)["runs"]] == ["complete"]
    assert "19" in numbers
    assert "next cnnctl train digits.yaml" in example
    assert code == 5
    assert "hint: pip install './packaging/light[pictures]' from a checkout of cnnctl" in drawing
    for words, (text, code) in zip(heavy, refused, strict=True):
        whole = WHOLE.replace("install .", "install '.[litert]'") if "ai-edge" in text else WHOLE
        assert (code, f"hint: {whole}" in text.replace("install it with: ", "")) == (5, True), (words, text)
    assert not (light.folder / "runs").exists()


PROGRAM = """\
import json, os, sys, tempfile
from cnnctl.cli.app import run
for words in json.loads(sys.argv[1]):
    if not os.fork():
        sys.argv = ["cnnctl", *words]
        code = run()
        sys.stdout.flush()
        print(chr(10) + "exit", code, flush=True)
        os._exit(0)
    os.wait()
"""


def outputs(installed: Installed, commands: list[tuple[str, ...]]) -> list[tuple[str, int]]:
    """What commands print and their exit codes: forks of one process, which has imported what they share."""
    done = subprocess.run(
        [installed.python, "-c", PROGRAM, json.dumps(commands)],
        cwd=installed.folder,
        env={**environment(), "COLUMNS": "400"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    )
    *said, rest = re.split(r"\nexit (\d+)\n", done.stdout)
    assert rest == ""
    return [(" ".join(text.split()), int(code)) for text, code in zip(said[::2], said[1::2], strict=True)]


def test_hints_are_those_of_what_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert how_to_install() == "pip install . from a checkout of cnnctl"
    assert how_to_install("serve") == "pip install '.[serve]' from a checkout of cnnctl"
    monkeypatch.setattr("cnnctl.errors.extras_of_light", lambda: ("serve",))
    assert how_to_install() == WHOLE
    assert how_to_install("serve") == "pip install './packaging/light[serve]' from a checkout of cnnctl"
    assert how_to_install("jax") == WHOLE.replace("install .", "install '.[jax]'")


def test_the_container_serves_a_run_that_it_does_not_change(light: Installed, run: Path) -> None:
    """What the Dockerfile starts, and what it asks for the health, in the light environment."""
    told = {one.word: one.words for one in read(DOCKERFILE)}
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    said = [
        "0" if word == "8000" else str(run) if word == "/model" else word for word in told["ENTRYPOINT"] + told["CMD"]
    ]
    assert said[0] == "cnnctl"
    process = subprocess.Popen(
        [light.command, *said[1:]], cwd=light.folder, env=environment(), stdout=subprocess.PIPE, text=True
    )
    try:
        ready = READY.match(process.stdout.readline())
        port = ready[3]
        asked = [word.replace(":8000", f":{port}") for word in told["HEALTHCHECK"][-3:]]
        assert asked[0] == "python"
        subprocess.run([light.python, *asked[1:]], check=True, timeout=60)
        content = cv2.imencode(".png", np.zeros((8, 8), np.uint8))[1].tobytes()
        request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/predict", content, {"Content-Type": "image/png"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert [one["label"] in "0123456789" for one in json.load(answer)] == [True]
    finally:
        process.terminate()
        process.communicate(timeout=60)
    assert process.returncode == 0
    assert subprocess.run([light.python, *asked[1:]], check=False, capture_output=True, timeout=60).returncode == 1
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before


def test_the_dockerfile_keeps_the_rules() -> None:
    told = read(DOCKERFILE)
    assert faults(told, ROOT) == []
    assert [one.words[0] for one in told if one.word == "USER"] == ["10001:10001"]
    assert any("constraints.txt" in " ".join(one.words) for one in told if one.word == "RUN")
    ignored = (LIGHT / "Dockerfile.dockerignore").read_text().splitlines()
    assert ignored[0] == "*"
    assert {f"!{name.removeprefix('./')}" for one in told for name in one.sources()} == {
        line for line in ignored if line.startswith("!")
    }


GOOD = """\
FROM python:3.13.9-slim AS build
COPY cnnctl ./cnnctl
RUN pip install --no-cache-dir --constraint c.txt .
FROM python:3.13.9-slim
COPY --from=build /opt /opt
USER 1000
HEALTHCHECK CMD ["true"]
ENTRYPOINT ["cnnctl"]
"""


@pytest.mark.parametrize(
    ("before", "after", "rule"),
    [
        ("FROM python:3.13.9-slim\n", "FROM python\n", "DL3006"),
        ("FROM python:3.13.9-slim\n", "FROM python:latest\n", "DL3007"),
        ("COPY cnnctl ./cnnctl", "ADD cnnctl ./cnnctl", "DL3020"),
        ("COPY cnnctl ./cnnctl", "COPY gone ./cnnctl", "COPY"),
        ("--no-cache-dir ", "", "DL3042"),
        ("--constraint c.txt ", "", "DL3013"),
        ("RUN pip", "RUN cd /x && pip", "DL3003"),
        ("RUN pip", "RUN sudo pip", "DL3004"),
        ("USER 1000", "USER root", "DL3002"),
        ("USER 1000\n", "", "DL3002"),
        ('["cnnctl"]', "cnnctl serve", "DL3025"),
        ('CMD ["true"]', "CMD true", "DL3025"),
        ('HEALTHCHECK CMD ["true"]\n', "", "HEALTHCHECK"),
        ("--from=build", "--from=other", "DL3022"),
        ("USER 1000", "USER 1000\nWORKDIR run", "DL3000"),
        ("USER 1000", "USER 1000\nEXPOSE 80000", "DL3011"),
        ("USER 1000", "USER 1000\nMAINTAINER me", "DL4000"),
    ],
)
def test_the_rules_find_faults(before: str, after: str, rule: str, tmp_path: Path) -> None:
    (tmp_path / "cnnctl").mkdir()
    path = tmp_path / "Dockerfile"
    path.write_text(GOOD)
    assert faults(read(path), tmp_path) == []
    assert before in GOOD
    path.write_text(GOOD.replace(before, after))
    assert [re.match(r"\w+", fault)[0] for fault in faults(read(path), tmp_path)] == [rule]
