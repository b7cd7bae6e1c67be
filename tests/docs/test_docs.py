"""Every command of docs/ is run, in order, in a folder like the reader's; its files are those that the page shows."""

import json
import re
import shlex
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import CONFIGS
from tests.forks import python

DOCS = CONFIGS.parent / "docs"
PAGES = ("tutorial.md", "keras.md")
_SHOWN_FILE = re.compile(r"`([\w.-]+\.(?:yaml|py))`:\n\n```(?:yaml|python)\n(.*?)```", re.DOTALL)
_CONSOLE = re.compile(r"```console\n(.*?)```", re.DOTALL)


@dataclass(frozen=True)
class Step:
    """A command of a page, and the lines that the page shows below it."""

    command: str
    shown: str


def steps(page: str) -> list[Step]:
    text = (DOCS / page).read_text(encoding="utf-8")
    found = []
    for block in _CONSOLE.findall(text):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, shown = part.partition("\n")
            found.append(Step(command, shown.strip("\n")))
    return found


def write_photos(folder: Path) -> None:
    """Photos of two classes that differ; the page's are too large for a repository."""
    generator = np.random.default_rng(0)
    for name, colour in (("cat", (200, 120, 60)), ("dog", (60, 120, 200))):
        (folder / name).mkdir(parents=True)
        for number in range(20):
            noise = generator.integers(-40, 40, (40, 48, 3))
            pixels = np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{name}.{number}.jpg", quality=95)


def shorten(folder: Path) -> None:
    """One epoch is enough to know whether a command runs."""
    for config in folder.glob("*.yaml"):
        config.write_text(re.sub(r"\bepochs: \d+", "epochs: 1", config.read_text(encoding="utf-8")), encoding="utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page_run(page: str, tmp_path: Path) -> None:
    write_photos(tmp_path / "photos")
    for name, content in _SHOWN_FILE.findall((DOCS / page).read_text(encoding="utf-8")):
        (tmp_path / name).write_text(content, encoding="utf-8")
    found = steps(page)
    assert any(step.command.startswith("cnnctl train") for step in found)
    servers: list[subprocess.Popen[bytes]] = []
    port = free_port()
    try:
        for step in found:
            shorten(tmp_path)
            words = shlex.split(step.command.replace("8000", str(port)))
            if words[:2] == ["cnnctl", "serve"]:
                servers.append(serve(words[1:], port, tmp_path))
            elif words[0] == "curl":
                assert isinstance(json.loads(fetch(words, tmp_path)), list)
            elif words[0] == "cd":
                pytest.fail("each command of a page is run in the reader's folder")
            else:
                assert_runs(words, step, tmp_path)
    finally:
        for server in servers:
            server.terminate()
            assert server.wait(20) == 0


def assert_runs(words: list[str], step: Step, folder: Path) -> None:
    program = {"cnnctl": ["-m", "cnnctl"], "python": []}[words[0]]
    done = python([*program, *words[1:]], folder)
    assert done.returncode == 0, f"{step.command}\n{done.stdout.decode()}{done.stderr.decode()}"
    if words[1] == "summary" and "--set" in words:
        assert done.stdout.decode().strip("\n") == step.shown


def serve(words: list[str], port: int, folder: Path) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-P", "-m", "cnnctl", *words, "--port", str(port)]
    server = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return server
        assert server.poll() is None
        time.sleep(0.05)
    server.kill()
    raise AssertionError("the server does not answer")


def fetch(words: list[str], folder: Path) -> str:
    """What curl would print of `curl -H HEADER --data-binary @FILE URL`."""
    assert (words[1], words[3]) == ("-H", "--data-binary")
    header, value = words[2].split(": ")
    body = (folder / words[4].removeprefix("@")).read_bytes()
    request = urllib.request.Request(words[5], body, {header: value})
    with urllib.request.urlopen(request, timeout=20) as answer:
        text: str = answer.read().decode()
    return text


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def test_every_key_that_a_page_names_is_one() -> None:
    """`train.early_stopping` and the like stand in docs/config.md."""
    reference = (DOCS / "config.md").read_text(encoding="utf-8")
    for page in DOCS.glob("*.md"):
        for key in re.findall(r"`((?:data|train)\.[a-z_.]+)[`:]", page.read_text(encoding="utf-8")):
            assert key.split(".")[-1] in reference, f"{page.name}: {key}"
