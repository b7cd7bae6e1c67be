"""The text of the labels of an image that may have several: `cat|dog`, sorted; of none, an empty text."""

from collections.abc import Iterable

from cnnctl.formatting import name_form

BETWEEN = "|"
"""What stands between the labels of an image."""


def names_of(label: str) -> tuple[str, ...]:
    """The labels in the text of an image that may have several: none in an empty one."""
    return tuple(label.split(BETWEEN)) if label else ()


def joined(names: Iterable[str]) -> str:
    """The text of several labels, each once, in the order of classes."""
    return BETWEEN.join(sorted(set(names)))


def united(*labels: str) -> str:
    """The text of all labels that some texts have, as `joined` writes it; blanks around them are left out."""
    return joined(form for label in labels for name in label.split(BETWEEN) if (form := name_form(name)))
