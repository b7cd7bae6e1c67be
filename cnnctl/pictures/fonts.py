"""Fonts of the system for writing that the usual one lacks: Chinese, Japanese, Korean, Devanagari and others.

They are looked for only where a text needs one. matplotlib's own list of fonts is not asked, since it keeps what was
installed when it was made.
"""

import unicodedata
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

FAMILY = "DejaVu Sans"
"""It comes with matplotlib."""

_GOOD = (
    *("notosans", "sourcehansans", "hiragino", "pingfang", "msyh", "yugoth", "meiryo", "malgun", "nirmala", "kohinoor"),
    *("applesdgothic", "wqy-microhei", "wqy-zenhei", "nanumgothic", "ipagothic", "ipaexg", "droidsansfallback"),
    *("takaogothic", "vl-gothic", "lohit", "mangal", "arial unicode", "freesans"),
)
_BAD = ("lastresort", "blank", "coloremoji")
"""They have every letter, or seem to, and show none."""
_VARIANTS = ("bold", "black", "heavy", "thin", "light", "italic", "oblique", "mono", "serif", "coding", "cond")
_UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""Kinds of characters for which no font needs to have a picture."""

_found: dict[str, str | None] = {}
"""A family for every letter that was looked for; None for one that no font has."""
_unsaid: list[str] = []


@lru_cache(maxsize=4096)
def families(text: str) -> tuple[str, ...]:
    """The fonts that show a text, the usual one first: those behind it have what it lacks."""
    if text.isascii():
        return (FAMILY,)
    lacking = {char for char in text if ord(char) not in _usual() and unicodedata.category(char) not in _UNSEEN}
    unknown = lacking - _found.keys()
    if unknown:
        _search(unknown)
    chosen = {_found[char] for char in lacking} - {None}
    return (FAMILY, *sorted(name for name in chosen if name is not None))


def without_font() -> str:
    """The letters that no font of this system has, as far as pictures needed them; each is told once."""
    letters = "".join(_unsaid)
    _unsaid.clear()
    return letters


@cache
def _usual() -> frozenset[int]:
    from matplotlib import font_manager

    return frozenset(font_manager.get_font(font_manager.findfont(FAMILY)).get_charmap())


def _search(letters: set[str]) -> None:
    """Find a font for each letter, the one with most of them first."""
    left = set(letters)
    shows: dict[str, set[str]] = {}
    for path in _system_fonts():
        has = _shown_by(path, left)
        if has:
            shows[path] = has
        if has == left:  # no other one has more
            break
    while left and shows:
        best = max(shows, key=lambda path: len(shows[path]))
        name = _register(best)
        for char in shows.pop(best):
            _found[char] = name
            left.discard(char)
        shows = {path: rest for path, has in shows.items() if (rest := has & left)}
    for char in sorted(left):
        _found[char] = None
        _unsaid.append(char)


def _system_fonts() -> list[str]:
    """Font files, those first that are made for labels."""
    from matplotlib import font_manager

    def rank(path: str) -> tuple[bool, bool, int, str]:
        name = Path(path).name.lower()
        return (
            not name.startswith(_GOOD),
            any(word in name for word in _VARIANTS),
            next((place for place, good in enumerate(_GOOD) if name.startswith(good)), 0),
            path,
        )

    usable = {path for path in font_manager.findSystemFonts() if not any(bad in path.lower() for bad in _BAD)}
    return sorted(usable, key=rank)


def _shown_by(path: str, letters: set[str]) -> set[str]:
    from matplotlib.ft2font import FT2Font

    try:
        font: Any = FT2Font(path)
    except (OSError, RuntimeError):  # not a font, or of a kind that FreeType does not read
        return set()
    return {char for char in letters if font.get_char_index(ord(char))} if font.scalable else set()


def _register(path: str) -> str:
    """Make a font file known to matplotlib under a name of its own; the name."""
    from matplotlib.font_manager import FontEntry, fontManager

    name = f"{Path(path).stem} of cnnctl"
    entry = FontEntry(fname=path, name=name, weight=400, size="scalable")
    fontManager.ttflist.append(entry)
    return name
