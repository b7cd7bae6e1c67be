"""Names that people, other systems and pipes come with: of files to read, files to write, classes and configs."""

import csv
import io
import json
import os
import random
import shutil
import stat
import sys
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

from cnnctl.config import parse_config
from cnnctl.data.table import Columns
from cnnctl.errors import CnnctlError, DiskError
from cnnctl.inference.answers import Answer
from cnnctl.inference.inputs import expand_inputs
from cnnctl.inference.model import Classifier, load_classifier
from cnnctl.inference.stream import classify
from cnnctl.init.compose import run_name
from cnnctl.network_source import find_subject
from cnnctl.runs import find_run
from cnnctl.system.files import write_rows
from cnnctl.system.outputs import write_output
from cnnctl.system.streams import FALLBACK
from cnnctl.terminal.predict import WRITERS
from cnnctl.terminal.render import LEFT, print_json, print_table
from tests.inference.build import colour_run, paint

FOLDER = Path(tempfile.mkdtemp(prefix="cnnctl-fuzz."))
PIECES = (
    *("a", "Z", "0", " ", ".", "..", "-", "--", "~", "*", "?", "$(id)", ";", "|", "&", '"', "'", "\\", ",", "=", "#"),
    *("\n", "\r", "\t", "\0", "\x07", "\x1b[31m", "\x1b]0;t\x07", "\x7f", "\x9b2J", "\u202e", "\u2028", "\ufeff"),
    *("é", "e\u0301", "\xa0", "日本", "🐱", "\udce9", "\udcff\udcfe", "BM", "GIF89a", "P6\n", "\xff\xd8\xff", "con"),
    *("data:image/png;base64,", "file:///", "http://x/", "C:\\", "%00", "nul.png", ".png", ".csv", ".keras", ".yaml"),
    *("A" * 100, "é" * 130, "x" * 5000),
)
ENCODINGS = ("utf-8", "ascii", "latin-1", "cp1252", "shift_jis")
MODES = (0o600, 0o644, 0o664, 0o640, 0o755)


def name(chance: random.Random) -> str:
    """One to six pieces; at times of several folders."""
    between = "/" if chance.random() < 0.1 else ""
    return between.join(chance.choices(PIECES, k=chance.randint(1, 6)))


@cache
def material() -> tuple[Classifier, bytes]:
    """A classifier of colours, and an image for it."""
    return load_classifier(colour_run(FOLDER / "run")), Path(paint(FOLDER / "good.png", 255, 0, 0)).read_bytes()


def once(chance: random.Random) -> None:
    """Twenty names, each wherever a name is taken."""
    before = Path.cwd()
    place = FOLDER / "place"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    material()
    os.chdir(place)
    try:
        for _ in range(20):
            text = name(chance)
            try:
                read(text, chance)
                write(text, chance)
                find(text)
                show(text, chance)
            except Exception as error:
                raise AssertionError(f"{error!r} over the name {text!r}") from error
    finally:
        os.chdir(before)


def is_name(text: str) -> bool:
    """Whether the system takes a text as the name of a file in this folder."""
    try:
        os.stat(text)
    except FileNotFoundError:
        pass
    except (OSError, ValueError):
        return False
    return "/" not in text and text not in ("", ".", "..") and not text.startswith("~")


def read(text: str, chance: random.Random) -> None:
    """The good image beside an odd name is answered, and the odd one too where it is a file; else there is a reason."""
    classifier, image = material()
    Path("good.png").write_bytes(image)
    real = is_name(text) and not Path(text).exists()
    if real:
        Path(text).write_bytes(image)
    names, null = given(text, chance)
    try:
        answers = list(classify(classifier, expand_inputs(names, Columns, null=null)))
    except CnnctlError as error:
        assert str(error)
        assert names[-1] == text, f"an odd name took the good image with it: {error}"  # a folder, a table of this name
        return
    finally:
        if real:
            Path(text).unlink()
    assert any(one.path.endswith("good.png") and one.prediction is not None for one in answers), answers
    assert all(one.prediction is not None or one.error for one in answers)
    if real and null:
        assert [one.prediction is not None for one in answers] == [True, True], answers
    written(answers)


def given(text: str, chance: random.Random) -> tuple[list[str], bool]:
    """A good image and an odd name as arguments, or on stdin in one of its forms."""
    content = os.fsencode("good.png\n") + text.encode("utf-8", "surrogateescape")
    null = False
    match chance.randrange(4):
        case 0:
            return ["good.png", text], False
        case 1:
            null = "\0" not in text
            content = content.replace(b"\n", b"\0", 1) if null else content
        case 2 if text.isprintable():
            content = f"good.png\n{text}\n".encode("utf-16")
    sys.stdin = io.TextIOWrapper(io.BufferedReader(io.BytesIO(content)))  # type: ignore[arg-type]
    return ["-"], null


def written(answers: list[Answer]) -> None:
    """JSON and CSV give the paths back."""
    for form in ("json", "jsonl", "csv", "table"):
        stream = io.StringIO(newline="")
        WRITERS[form](answers, stream, None)
        text = stream.getvalue()
        match form:
            case "json":
                assert [one["path"] for one in json.loads(text)] == [one.path for one in answers]
            case "csv":
                rows = list(csv.reader(io.StringIO(text, newline="")))[1:]
                assert [row[0] for row in rows] == [one.path for one in answers]
            case "table":
                assert all(line.isprintable() for line in text.split("\n"))


def write(text: str, chance: random.Random) -> None:
    """A file of this name holds what was written, with the right mode, and stays the link that it was."""
    path, content = Path("out") / text.lstrip("/"), os.urandom(5)
    umask = chance.choice((0o022, 0o077, 0o002))
    shutil.rmtree("out", ignore_errors=True)
    Path("out").mkdir()
    expected = 0o666 & ~umask
    sort = chance.choice(("new", "file", "link", "nowhere"))
    try:
        if sort == "file":
            path.write_bytes(b"old and longer")
            path.chmod(expected := chance.choice(MODES))
        elif sort != "new":
            path.symlink_to(FOLDER / "place" / "target")
            Path("target").unlink(missing_ok=True)
            if sort == "link":
                Path("target").touch()
                Path("target").chmod(expected := chance.choice(MODES))
    except (OSError, ValueError):
        return  # the system does not take it: nothing of ours is tried
    before = os.umask(umask)
    try:
        write_output(path, content)
    except DiskError:
        assert not is_name(text)
        return
    finally:
        os.umask(before)
    assert path.read_bytes() == content
    assert stat.S_IMODE(path.stat().st_mode) == expected
    assert path.is_symlink() == (sort in ("link", "nowhere"))


def find(text: str) -> None:
    """Commands that are given this name have an error of ours, or what they look for."""
    path = Path(text)
    assert is_name(run_name(text)), run_name(text)
    for look in (find_run, parse_config, lambda place: find_subject(place, [])):
        with suppress(CnnctlError):
            look(path)


def show(text: str, chance: random.Random) -> None:
    """Nothing that is printed of a class of this name moves the cursor, in any encoding."""
    for encoding in (chance.choice(ENCODINGS), "utf-8"):
        before, content = sys.stdout, io.BytesIO()
        screen = io.TextIOWrapper(content, encoding=encoding, errors=FALLBACK, newline="\n", write_through=True)
        sys.stdout = screen
        try:
            print_table((text, "images"), [(text, "1"), ("b", text)], (LEFT, LEFT))
            split = len(content.getvalue())
            print_json({text: [text]})
        finally:
            sys.stdout = before
            screen.detach()
        printed = content.getvalue()
        assert all(line.isprintable() for line in printed.decode(encoding).split("\n")), printed
        assert json.loads(printed[split:].decode(encoding)) == {text: [text]}
    stream = io.StringIO(newline="")
    write_rows(stream, [(text, text)])
    assert list(csv.reader(io.StringIO(stream.getvalue(), newline=""))) == [[text, text]]
