"""The rules of hadolint that matter to the Dockerfile; where docker is not at hand, nothing else reads it."""

import json
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_KNOWN = "ARG CMD COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK LABEL RUN STOPSIGNAL USER VOLUME WORKDIR".split()


@dataclass(frozen=True)
class Instruction:
    """An instruction; the words of the exec form are those of its JSON."""

    word: str
    text: str

    @property
    def is_exec(self) -> bool:
        return self._json() is not None

    @property
    def words(self) -> list[str]:
        found = self._json()
        if found is None:
            return shlex.split(self.text)
        return shlex.split(self.text.partition("[")[0]) + found

    def sources(self) -> list[str]:
        """What a COPY takes from the checkout."""
        given = [one for one in self.words if not one.startswith("--")]
        return given[:-1] if self.word == "COPY" and "--from" not in self.text else []

    def _json(self) -> list[str] | None:
        begin = self.text.find("[")
        try:
            return json.loads(self.text[begin:]) if begin >= 0 else None
        except ValueError:
            return None


def read(path: Path) -> list[Instruction]:
    """The instructions of a Dockerfile."""
    lines = [line for line in path.read_text().splitlines() if line.strip() and not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [Instruction(*line.split(maxsplit=1)) for line in joined.splitlines()]


def faults(told: Sequence[Instruction], root: Path) -> list[str]:
    """What breaks a rule, by hadolint's names of them where it has one."""
    return [*_of_each(told, root), *_of_all(told)]


def _of_each(told: Sequence[Instruction], root: Path) -> Iterator[str]:
    stages: list[str] = []
    for one in told:
        words, text = one.words, one.text
        if one.word == "ADD":
            yield f"DL3020 COPY copies: {text}"
        elif one.word == "MAINTAINER":
            yield f"DL4000 is deprecated: {text}"
        elif one.word not in _KNOWN:
            yield f"there is no instruction {one.word}"
        if one.word == "FROM":
            stages += words[2:]
            tag = words[0].partition(":")[2]
            if not tag:
                yield f"DL3006 no version: {text}"
            elif not re.match(r"\d+\.\d+\.\d+-", tag):
                yield f"DL3007 no fixed version: {text}"
        for name in one.sources():
            if not (root / name).exists():
                yield f"COPY of nothing: {name}"
        if one.word == "COPY" and (stage := re.search(r"--from=(\S+)", text)) and stage[1] not in stages:
            yield f"DL3022 no such stage: {text}"
        if one.word == "WORKDIR" and not text.startswith("/"):
            yield f"DL3000 not absolute: {text}"
        if one.word == "EXPOSE" and not 0 < int(text) < 65536:
            yield f"DL3011 no port: {text}"
        if one.word == "RUN":
            yield from _of_shell(text)
        if one.word in ("CMD", "ENTRYPOINT", "HEALTHCHECK") and not one.is_exec:
            yield f"DL3025 not the exec form: {text}"


def _of_shell(text: str) -> Iterator[str]:
    for command in re.split(r"&&|\|\||;", text):
        words = command.split()
        if "cd" in words[:1]:
            yield f"DL3003 WORKDIR goes there: {command}"
        if "sudo" in words:
            yield f"DL3004 no sudo: {command}"
        if "install" in words and any(word.startswith("pip") for word in words):
            if "--no-cache-dir" not in words:
                yield f"DL3042 leaves a cache: {command}"
            if "--constraint" not in words:
                yield f"DL3013 no versions: {command}"
        if "apt-get" in words or "apk" in words:
            yield f"DL3008 packages of the system have no versions: {command}"


def _of_all(told: Sequence[Instruction]) -> Iterator[str]:
    last = max((place for place, one in enumerate(told) if one.word == "FROM"), default=0)
    final = told[last:]
    users = [one.text for one in final if one.word == "USER"]
    if not users or users[-1].partition(":")[0] in ("root", "0"):
        yield "DL3002 the last user is root"
    for word in ("CMD", "ENTRYPOINT", "HEALTHCHECK"):
        if sum(one.word == word for one in final) > 1:
            yield f"DL4003 more than one {word}"
    if not any(one.word == "HEALTHCHECK" for one in final):
        yield "HEALTHCHECK is missing"
