"""Two networks evaluated on the same images: whether one is right more often than chance would have it."""

import math
from collections.abc import Sequence

SIGNIFICANCE = 0.05
"""A difference whose p is below it is called significant."""

CONFIDENCE = 0.95
"""That of intervals."""

FEW = 25
"""Of fewer discordant pairs than this the exact probability is taken."""


def wilson(right: int, images: int) -> tuple[float, float]:
    """The 95% interval of a share of images (Wilson 1927)."""
    from scipy.stats import binomtest

    interval = binomtest(right, images).proportion_ci(CONFIDENCE, method="wilson")
    return float(interval.low), float(interval.high)


def mcnemar(first_only: int, second_only: int) -> float:
    """How probable it is that two networks that are equally good differ at least as much as these two.

    Images that both get right, or both get wrong, say nothing of the difference; of the others, b that only the first
    one gets right and c that only the second one does, each would fall to either side like a coin. Below 25 of them p
    is the two-sided binomial probability; from there on it is that of `(|b - c| - 1)^2 / (b + c)` under chi-square with
    one degree of freedom.

    Source: McNemar 1947, "Note on the sampling error of the difference between correlated proportions or percentages",
    Psychometrika 12, 153-157; the continuity correction: Edwards 1948, Psychometrika 13, 185-187; its use for
    classifiers: Dietterich 1998, Neural Computation 10, 1895-1923.

    Returns:
        p, from 0 to 1.

    Example: `mcnemar(1, 5) == 0.21875`.
    """
    discordant = first_only + second_only
    if discordant < FEW:
        tail = sum(math.comb(discordant, count) for count in range(min(first_only, second_only) + 1))
        return min(1.0, tail / (1 << discordant) * 2)
    statistic = max(abs(first_only - second_only) - 1, 0) ** 2 / discordant
    return math.erfc(math.sqrt(statistic / 2))


def holm(probabilities: Sequence[float]) -> tuple[float, ...]:
    """The p of several tests, raised so that all of them together go wrong no more often than one would.

    The smallest is multiplied by the number of tests, the next by one less, and so on; none falls below the one
    before it, and none rises above 1.

    Source: Holm 1979, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics
    6, 65-70.

    Example: `holm([0.25, 0.125]) == (0.25, 0.25)`.
    """
    raised = [0.0] * len(probabilities)
    highest = 0.0
    for done, place in enumerate(sorted(range(len(probabilities)), key=lambda place: probabilities[place])):
        highest = max(highest, min(1.0, (len(probabilities) - done) * probabilities[place]))
        raised[place] = highest
    return tuple(raised)
