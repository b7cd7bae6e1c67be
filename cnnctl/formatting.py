"""Numbers and names as people read them."""

import math
import re

_SHOWN = 200
_ENDLESS = re.compile(r"\S{1000,}")


def percent(share: float, digits: int = 1) -> str:
    """0.941 as `94.1%`."""
    return f"{share:.{digits}%}"


def size(count: float) -> str:
    """Bytes in a unit that a person reads: `56.3 MB`."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            return f"{count:,.0f} {unit}" if unit == "bytes" else f"{count:,.1f} {unit}"
        count /= 1000
    raise AssertionError("unreachable")


def duration(seconds: float) -> str:
    """`7 s`, `3 min 20 s` or `2 h 05 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def several(count: int, name: str) -> str:
    """`8 x NVIDIA H100`; of one, its name alone."""
    return f"{count} x {name}" if count > 1 else name


def printable(text: str, keep: str = "") -> str:
    """The text without anything that would move the cursor or colour the screen, but for the characters of `keep`."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in keep else repr(char)[1:-1] for char in text)


def shortened(text: str) -> str:
    """The text with words that fill screens cut, such as an image as a data: URI in place of a path."""
    return _ENDLESS.sub(lambda word: f"{word[0][:_SHOWN]}... ({len(word[0]):,} characters)", text)


def visible(text: str) -> str:
    """`printable` for text of several lines, which may have tabs."""
    return printable(text, "\n\t")


def number(value: float) -> str:
    """Any number in up to four decimals: `19`, `-1`, `0.1111`, `1.5e-05`."""
    if value and abs(value) < 1e-4:
        return f"{value:.3g}"
    if not math.isfinite(value) or abs(value) >= 1e12:
        return f"{value:.6g}"
    text = f"{value:.4f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def name_form(text: str) -> str:
    """The form in which names of classes, groups and columns are compared: composed (NFC), without blanks around."""
    import unicodedata

    return unicodedata.normalize("NFC", text).strip()


def differences(one: str, other: str) -> str:
    """What two names that look alike differ in: `ZERO WIDTH SPACE in place of nothing`."""
    import difflib

    matcher = difflib.SequenceMatcher(None, one, other, autojunk=False)
    return " and ".join(
        f"{_spelled(one[start:end])} in place of {_spelled(other[begin:stop])}"
        for tag, start, end, begin, stop in matcher.get_opcodes()
        if tag != "equal"
    )


def _spelled(text: str) -> str:
    import unicodedata

    return ", ".join(unicodedata.name(letter, f"U+{ord(letter):04X}") for letter in text) or "nothing"
