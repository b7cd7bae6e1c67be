"""What the page of a report shows, as plain data."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One picture with a sentence on what is seen."""

    kind: str
    content: bytes
    title: str
    caption: str


@dataclass(frozen=True)
class Table:
    """Texts in rows; `numbers` says of each column whether it is aligned right."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: tuple[bool, ...]


@dataclass(frozen=True)
class Share:
    """Images of a class in each split, and the bar of the training images from 0 to 100."""

    name: str
    counts: tuple[str, ...]
    bar: float


@dataclass(frozen=True)
class Balance:
    """How the images are spread over classes and splits."""

    splits: tuple[str, ...]
    shares: tuple[Share, ...]
    words: str


@dataclass(frozen=True)
class Report:
    """The whole page; a None or an empty tuple is a part that the run lacks.

    `verdict` is the sentence that a person wants first; `withheld` is why images are not shown that there may be.
    """

    title: str
    verdict: str
    subtitle: str
    tiles: tuple[tuple[str, str, str], ...]
    splits: Table
    result: tuple[Figure, ...]
    training: tuple[Figure, ...]
    mistakes: tuple[Figure, ...]
    balance: Balance
    samples: Figure | None
    samples_missing: str | None
    withheld: str | None
    network: Figure
    layers: Table
    totals: str
    config: str
    environment: Table
    commands: tuple[tuple[str, str], ...]
