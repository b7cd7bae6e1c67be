"""Tables in every dialect that spreadsheets, databases and people write, whole and mistreated."""

import random
import tempfile
import unicodedata
from contextlib import suppress
from pathlib import Path

from cnnctl.data.dialect import SEPARATORS
from cnnctl.data.file_names import TABLE_SUFFIXES
from cnnctl.data.table import Columns, count_labels, read_paths, read_table
from cnnctl.errors import DataError

FOLDER = Path(tempfile.mkdtemp(prefix="cnnctl-fuzz."))
NAMES = (
    "a.png",
    "b c.JPG",
    "d,e.png",
    "f;g.png",
    "h|i.png",
    "j\tk.png",
    'l "m".png',
    "caf\u00e9.png",
    "no suffix",
    " n.png",
)
LABELS = (
    "cat",
    "no",
    "007",
    "NA",
    "1,5",
    "a;b",
    "x|y",
    "two words",
    'a "b"',
    "caf\u00e9",
    "two\nlines",
    "\u732b",
    "path",
    "-",
)
OTHERS = ("", "1", "x, y", "1;2", "a|b", "one\ntwo", "0,5", 'say "x"', "label")
ENDS = ("\n", "\r\n", "\r")
SNIPPETS = ('"', '""', ",", ";", "\t", "|", "\n", "\r", "\0", "\ufeff", "sep=;\n", "\u2028", " ", "path", ",,,,", '"\n')


def write_images() -> None:
    for name in NAMES:
        (FOLDER / name).touch()


def written(field: str, separator: str, chance: random.Random) -> str:
    """A field as a program writes it: in quotes where it must be, and sometimes where it need not."""
    special = any(letter in field for letter in (separator, '"', "\n", "\r")) or (separator == " " and not field)
    padded = separator == " " and field.strip() != field
    if special or padded or chance.random() < 0.1:
        return '"' + field.replace('"', '""') + '"'
    return field


class Table:
    """Rows, and the text of a file that has them."""

    def __init__(self, chance: random.Random) -> None:
        self.separator = chance.choice(list(SEPARATORS))
        self.file = FOLDER / f"table{chance.choice(TABLE_SUFFIXES)}"
        self.end = chance.choice(ENDS)
        count = chance.randint(1, len(NAMES))
        self.rows = [(name, chance.choice(LABELS), chance.choice(OTHERS)) for name in chance.sample(NAMES, count)]
        if self.separator == " ":  # blanks have no empty field
            self.rows = [(name, label, other or "-") for name, label, other in self.rows]
        self.order = chance.sample(range(3), 3)
        self.chance = chance

    def line(self, fields: tuple[str, ...]) -> str:
        chance, separator = self.chance, self.separator
        text = separator.join(written(fields[place], separator, chance) for place in self.order)
        blanks = " " * chance.randint(1, 3)
        if separator == " ":
            return text + blanks * (chance.random() < 0.2)
        return text + separator * (chance.random() < 0.1)

    def text(self, header: bool = True) -> str:
        chance = self.chance
        lines = [self.line(("path", "label", "other"))] if header else []
        lines += [self.line(row) for row in self.rows]
        for _ in range(chance.choice((0, 0, 1, 3))):
            lines.insert(chance.randint(0, len(lines)), "")
        text = self.end.join(lines) + self.end * chance.randint(0, 2)
        if header and chance.random() < 0.1:
            text = f"sep={self.separator}{self.end}{text}"
        return chance.choice(("", "\ufeff")) + text

    def paths(self) -> list[str]:
        return [str(FOLDER / name) for name, _, _ in self.rows]

    def labels(self) -> list[str]:
        return [label for _, label, _ in self.rows]


def save(file: Path, text: str) -> None:
    file.unlink(missing_ok=True)  # to write over a file is slow on some disks
    file.write_text(text, encoding="utf-8", errors="surrogatepass", newline="")


def whole(chance: random.Random) -> None:
    """Every reader gets the rows that were written."""
    table = Table(chance)
    save(table.file, table.text())
    shown = table.file.read_bytes()
    listing = read_table(table.file, Columns())
    assert (listing.paths, listing.labels) == (table.paths(), table.labels()), shown
    assert read_paths(table.file, Columns()) == table.paths(), shown
    assert count_labels(table.file, Columns()) == len(set(table.labels())), shown


def padded(chance: random.Random) -> None:
    """Blanks around labels and another form of Unicode change nothing but the notices."""
    table = Table(chance)
    labels = table.labels()
    if table.separator == " ":
        return
    table.rows = [
        (
            name,
            chance.choice(("", " ", "\u00a0")) + unicodedata.normalize(chance.choice(("NFC", "NFD")), label) + " ",
            other,
        )
        for name, label, other in table.rows
    ]
    save(table.file, table.text())
    listing = read_table(table.file, Columns())
    assert listing.labels == labels, table.file.read_bytes()
    assert listing.notices


def without_header(chance: random.Random) -> None:
    """Training refuses it and says which line is missing, with which it is read; prediction takes every row."""
    table = Table(chance)
    text = table.text(header=False).removeprefix("\ufeff")
    save(table.file, text)
    found = read_paths(table.file, Columns())
    assert len(found) == len(table.rows), text
    try:
        read_table(table.file, Columns())
    except DataError as error:
        if "is an image" in error.message:
            header = (error.hint or "").partition("before it: ")[2]
            assert header, text
            save(table.file, f"{header}{table.end}{text}")
            assert read_paths(table.file, Columns()) == found, text
    else:
        raise AssertionError(f"a list without a header was read: {text!r}")


def mistreated(chance: random.Random) -> None:
    """An answer, or an error that names the file."""
    table = Table(chance)
    text = table.text()
    for _ in range(chance.randint(1, 5)):
        at = chance.randrange(len(text) + 1)
        match chance.randrange(3):
            case 0:
                text = text[:at] + text[at + chance.choice((1, 3, 20)) :]
            case 1:
                text = text[:at] + chance.choice(SNIPPETS) + text[at:]
            case _:
                text = text[:at] + text[max(0, at - 30) :]
    save(table.file, text)
    for reader in (read_table, read_paths, count_labels):
        try:
            reader(table.file, Columns())
        except DataError as error:
            assert str(table.file) in error.message, error.message
    with suppress(DataError):
        listing = read_table(table.file, Columns())
        assert set(listing.paths) <= {str(FOLDER / name) for name in NAMES} | {str(table.file)}, text


def once(chance: random.Random) -> None:
    """Ten tables of each sort."""
    write_images()
    for _ in range(10):
        whole(chance)
        padded(chance)
        without_header(chance)
        mistreated(chance)
