"""What the text of a scalar stands for: YAML 1.2's core schema, and variables of the environment.

`${env:NAME}` is the value of a variable, `${env:NAME:default}` has a default, and `$${` is a plain `${`. Nothing else
is expanded. An unquoted scalar is typed after its variables are filled in; a quoted one stays text.
"""

import re
from collections.abc import Mapping

MAX_EXPANDED = 1_000_000
"""Characters that the variables of one config may be filled in with."""
UNPRINTABLE = re.compile(r"[\x00-\x08\x0B\x0C\x0E-\x1F\x7F-\x84\x86-\x9F\uD800-\uDFFF\uFFFE\uFFFF]")
"""What YAML does not take for printable; the class of what it does would take ten milliseconds to compile."""

_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INT = re.compile(r"[-+]?[0-9]+")
_OCTAL_OR_HEX = re.compile(r"0o[0-7]{1,30}|0x[0-9a-fA-F]{1,30}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INF_OR_NAN = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")

_VARIABLE = re.compile(r"\$(?P<escaped>\$\{)|\$\{env:(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::(?P<default>[^}]*))?\})?")
_WHOLE_VARIABLE = re.compile(r"\$\{(env:[^{}\n]*)\}")
_BRACES = ("\U0010fffe", "\U0010ffff")
"""No characters: nobody's config has them."""


class RefusedScalarError(ValueError):
    """A scalar that is not guessed at; `str()` is the message, `hint` the mend."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def resolve_scalar(text: str) -> str | int | float | bool | None:
    """The value of an unquoted scalar in YAML 1.2's core schema.

    Raises:
        ValueError: for an integer with leading zeros or of more than 30 digits.

    Example: `resolve_scalar("no") == "no"`, `resolve_scalar("1e-3") == 0.001`.
    """
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        digits = text.lstrip("+-")
        if len(digits) > 1 and digits.startswith("0"):
            raise RefusedScalarError(
                "a number must not begin with 0",
                f"write {digits.lstrip('0') or '0'} for the number, or '{text}' in quotes for the text",
            )
        if len(digits) > 30:
            raise RefusedScalarError("a whole number has at most 30 digits", "put it in quotes if it is text")
        return int(text)
    if _OCTAL_OR_HEX.fullmatch(text):
        return int(text, base=0)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _INF_OR_NAN.fullmatch(text):
        return float(text.replace(".", ""))
    return text


def reads_as_text(text: str) -> bool:
    """Whether `text` needs no quotes to be read as that very text."""
    try:
        return resolve_scalar(text) == text
    except ValueError:
        return False


def expand(text: str, environment: Mapping[str, str] | None) -> str:
    """A text with its variables filled in; what they hold is not expanded again.

    Without an environment `${env:NAME}` stays as it is, and only `$${` is read.

    Raises:
        RefusedScalarError: a variable is not set and has no default, is misspelt, or holds no printable text.
    """
    return _VARIABLE.sub(lambda found: _filled_in(found, environment), text) if "${" in text else text


def _filled_in(found: re.Match[str], environment: Mapping[str, str] | None) -> str:
    name, default = found["name"], found["default"]
    if found["escaped"]:
        return "${"
    if environment is None:
        return found[0]
    if name is None:
        raise RefusedScalarError(
            "expected ${env:NAME} or ${env:NAME:default}", "write $${env: for these very letters; a } ends a default"
        )
    value = environment.get(name, default)
    if value is None:
        hint = f"set it, or give a default: ${{env:{name}:value}}"
        raise RefusedScalarError(f"the environment has no variable {name}", hint)
    if UNPRINTABLE.search(value):
        hint = "set it to UTF-8 text without control characters"
        raise RefusedScalarError(f"the variable {name} holds no printable text", hint)
    return value


def escape(text: str) -> str:
    """A text that `expand` reads as this one."""
    found = _VARIABLE.search(text)
    return text.replace("${", "$${") if found else text


def shield(text: str) -> str:
    """A YAML text as long as before, in whose variables no braces end an unquoted scalar inside of `{}`."""
    if "${env:" not in text or any(brace in text for brace in _BRACES):
        return text
    return _WHOLE_VARIABLE.sub(lambda found: f"${_BRACES[0]}{found[1]}{_BRACES[1]}", text)


def unshield(text: str) -> str:
    """The text of a scalar with its braces."""
    return text.replace(_BRACES[0], "{").replace(_BRACES[1], "}")
