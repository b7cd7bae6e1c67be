"""Config text: what hypothesis makes up, and what becomes of real configs when they are mistreated."""

import random
import time
from pathlib import Path

import hypothesis
from hypothesis import strategies as st

from cnnctl.architecture import make_plan
from cnnctl.config import parse_config
from cnnctl.config.dump import to_yaml
from tests.conftest import CONFIGS

REAL = [path.read_text(encoding="utf-8") for path in sorted(CONFIGS.glob("*.yaml"))]
FOLDER = Path("/tmp") / f"cnnctl-fuzz-{time.time_ns()}.yaml"
SNIPPETS = (
    *("&a [*a, *a]", "<<: *a", "!!python/object/apply:os.system [ls]", "\t", "\u2028", "\x00", "---\n", "...\n"),
    *("%YAML 9\n", "[" * 300, "{a: " * 120, "? ", "- - - -", "1e999", "-.inf", "0x7fffffffffffffffffff", "9" * 400),
    *("~", "''", "|-\n", ">+2\n", "conv2d: ", "repeat: {times: 1000000, layers: [flatten]}", "size: 99999999"),
    *("${env:HOME}", "${env:", "$${", "${env:UNSET:0.5}", "extends: digits.yaml\n", "extends: /dev/null\n"),
    *("\ud800", "é" * 50, "a: 1\na: 2\n", "#" * 2000),
)


def mistreated(chance: random.Random) -> str:
    """A real config with one to six things done to it."""
    text = chance.choice(REAL)
    for _ in range(chance.randint(1, 6)):
        at, length = chance.randrange(len(text) + 1), chance.choice((0, 1, 3, 12, 60))
        lines = text.split("\n")
        line = chance.randrange(len(lines))
        match chance.randrange(7):
            case 0:
                text = text[:at] + text[at + length :]
            case 1:
                text = text[:at] + chance.choice(SNIPPETS) + text[at + length :]
            case 2:
                other = chance.choice(REAL)
                start = chance.randrange(len(other))
                text = text[:at] + other[start : start + length] + text[at:]
            case 3:
                lines[line] = " " * chance.randrange(6) + lines[line].lstrip()
                text = "\n".join(lines)
            case 4:
                text = "\n".join([*lines[:line], lines[line], lines[line], *lines[line + 1 :]])
            case 5:
                words = [word for word in text.replace(",", " ").split() if word.strip(":{}[]-.0123456789")]
                text = text[:at] + chance.choice(words or ["x"]) + text[at + length :]
            case _:
                text = text[:at] + str(chance.choice((-1, 0, 0.5, 10**9, 2**63, "true", "null"))) + text[at + length :]
    return text


def check(text: str) -> None:
    """A config that survives a round trip, or problems; within a second."""
    FOLDER.write_text(text, encoding="utf-8", errors="surrogatepass", newline="")
    begun = time.process_time()
    loaded = parse_config(FOLDER)
    if loaded.config is not None:
        image = loaded.config.data.image
        make_plan(loaded.layers, (image.height, image.width, image.channels), 10, loaded.config.output)
    seconds = time.process_time() - begun
    assert seconds < 1, f"it took {seconds:.1f} s:\n{text}"
    for problem in loaded.problems:
        str(problem).encode("utf-8", "backslashreplace")
    if loaded.config is not None:
        FOLDER.write_text(to_yaml(loaded.config), encoding="utf-8")
        again = parse_config(FOLDER)
        assert again.config == loaded.config, text
    else:
        assert loaded.problems, text


def once(chance: random.Random) -> None:
    """Fifty mistreated configs, and what hypothesis thinks of with this seed."""
    from cnnctl.errors import ConfigError

    for _ in range(50):
        text = mistreated(chance)
        try:
            check(text)
        except ConfigError as error:
            assert str(error)
        except AssertionError:
            raise
        except Exception as error:
            raise AssertionError(f"{error!r} over:\n{text}") from error

    @hypothesis.seed(chance.randrange(2**32))
    @hypothesis.settings(max_examples=30, deadline=None, database=None)
    @hypothesis.given(st.text(), st.sampled_from(REAL), st.floats(0, 1))
    def any_text(made: str, real: str, where: float) -> None:
        at = int(where * len(real))
        for text in (made, real[:at] + made + real[at:]):
            try:
                check(text)
            except ConfigError as error:
                assert str(error)

    any_text()
    FOLDER.unlink(missing_ok=True)
