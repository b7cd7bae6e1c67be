"""What to choose for a set of images, each choice with its reason."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

from cnnctl.errors import how_to_install
from cnnctl.init.look import DatasetSummary

TINY, SMALL = 12, 40
"""Sides in pixels up to which images are like digits, and like CIFAR-10's."""

_SIDES = (32, 48, 64, 96)
_BACKBONE_SIDES = (128, 224)
"""Of images for a backbone, which was trained on the larger ones."""
_LARGE = 112
"""Sides in pixels from which on images have something to show at the larger size."""
_FEW = 20_000
"""Training images up to which a backbone is better than what they alone teach."""
_MANY = 20_000
"""Small images from which on a wide network has enough of them."""
_SEEN = 600_000
"""Images, all epochs together, after which a network whose first filters whiten learns little more."""
_HEAD_STEPS = 500
_UNBALANCED = 1.5
_LEAST_FOR_TEST = 60
_DIGITS_OR_LETTERS = re.compile(r"(?:digit[ _-]?)?\d{1,2}|[a-z]|(?:letter|upper|lower)[ _-]?[a-z]", re.IGNORECASE)
_SIDED = re.compile(r"(?:^|[ _\-.])(left|right|east|west|clockwise|counterclockwise)(?:$|[ _\-.])", re.IGNORECASE)


@dataclass(frozen=True)
class Block:
    """Convolutions with batch normalization and ReLU, the last of which is followed by a 2x2 max pooling."""

    filters: tuple[int, ...]
    pools: bool = True


@dataclass(frozen=True)
class Choices:
    """A config's settings, with the reasons by the name of the choice; `blocks` come before the global pooling.

    `shares` are (validation, test): a share of the images, or None where the folder has such a part. `backbone` comes
    in the place of the blocks. `advice` is what a backbone would give where there could be one. With `whitens` the
    network and its training are nearly those of configs/cifar10-airbench.yaml, which learns small photos best.
    """

    height: int
    width: int
    channels: int
    blocks: tuple[Block, ...]
    dropout: float
    epochs: int
    batch_size: int
    is_unbalanced: bool
    flips: bool
    shares: tuple[float | None, float | None]
    reasons: dict[str, str]
    backbone: str | None = None
    advice: str | None = None
    whitens: bool = False


@dataclass(frozen=True)
class Backbones:
    """What is said and known of pretrained networks.

    `here` are those whose weights are on this machine, the best for a beginning first; `wanted` is one that is asked
    for, whatever the images; with `from_scratch` there is to be none.
    """

    here: Sequence[str] = ()
    wanted: str | None = None
    from_scratch: bool = False


def choose(seen: DatasetSummary, backbones: Backbones | None = None) -> Choices:
    """The settings for a set of images; without `backbones` nobody thinks of one."""
    scratch = _from_scratch(seen)
    if backbones is None or backbones.from_scratch:
        return scratch
    if backbones.wanted is not None:
        return _with_backbone(seen, scratch, backbones.wanted, "as asked for")
    if not _suits_a_backbone(seen):
        return scratch
    if backbones.here:
        why = f"a pretrained network, whose weights are here, learns more from {seen.total:,} photos"
        return _with_backbone(seen, scratch, backbones.here[0], why)
    advice = "a pretrained network would learn more from so few photos, often 10 points of accuracy"
    return replace(scratch, advice=f"{advice}: {how_to_install('pretrained')}, then init again")


def _suits_a_backbone(seen: DatasetSummary) -> bool:
    """Photos that are alike those of ImageNet, and too few to learn all of it from them."""
    short = min(median(height for height, _ in seen.sizes), median(width for _, width in seen.sizes))
    return not seen.is_grey and short > SMALL and seen.total < _FEW and not _like_digits(list(seen.counts))


def _with_backbone(seen: DatasetSummary, scratch: Choices, name: str, why: str) -> Choices:
    reasons = {key: reason for key, reason in scratch.reasons.items() if key not in ("model", "epochs")}
    heights, widths = [height for height, _ in seen.sizes], [width for _, width in seen.sizes]
    short = min(median(heights), median(widths))
    side = _BACKBONE_SIDES[short >= _LARGE]
    height, width = _shaped(side, median(widths) / median(heights))
    reasons["size"] = f"{height}x{width} pixels, since {name} was trained on images of that size"
    reasons["backbone"] = f"{name}, {why}"
    batch_size = 32 if seen.total < 10_000 else 128
    epochs = min(200, max(20, round(_HEAD_STEPS * batch_size / seen.total / 10) * 10))
    reasons["epochs"] = f"chosen for {seen.total:,} images; they take seconds, once the features are computed"
    return replace(
        scratch,
        height=height,
        width=width,
        channels=3,
        blocks=(),
        whitens=False,
        dropout=0.2,
        epochs=epochs,
        batch_size=batch_size,
        reasons=reasons,
        backbone=name,
    )


def _from_scratch(seen: DatasetSummary) -> Choices:
    reasons: dict[str, str] = {}
    height, width = _size(seen.sizes, reasons)
    side = min(height, width)
    reasons["channels"] = "all images that were opened are grey" if seen.is_grey else "the images are in colour"
    blocks = _blocks(side, seen.total, reasons)
    batch_size = 32 if seen.total < 3000 else 64 if seen.total < 10_000 else 128
    epochs = _epochs(seen.total, side)
    whitens = TINY < side <= SMALL and seen.total >= _MANY and not seen.is_grey and not seen.several
    if whitens:
        reasons["model"] = f"{seen.total:,} small images in colour are learnt best by first filters that whiten them"
        blocks, batch_size, epochs = (), 1024, min(30, max(8, round(_SEEN / seen.total)))
    reasons["epochs"] = f"chosen for {seen.total:,} images; a smaller set of images takes more"
    least, most = min(seen.counts.values()), max(seen.counts.values())
    is_unbalanced = most / least >= _UNBALANCED and not seen.several
    reasons["class_weight"] = (
        f"the largest class has {most / least:.1f} times the images of the smallest"
        if is_unbalanced
        else "the classes have similar numbers of images"
    )
    if seen.several:
        reasons["output"] = "images have several labels: each class has a probability and a threshold of its own"
        reasons["class_weight"] = "the thresholds make up for rare labels"
    flips = _flips(list(seen.counts), reasons)
    return Choices(
        height,
        width,
        1 if seen.is_grey else 3,
        blocks,
        0.3 if side > SMALL else 0.2 if side <= TINY else 0.0,
        epochs,
        batch_size,
        is_unbalanced,
        flips,
        _shares(seen, reasons),
        reasons,
        whitens=whitens,
    )


def _size(sizes: Sequence[tuple[int, int]], reasons: dict[str, str]) -> tuple[int, int]:
    heights, widths = sorted(height for height, _ in sizes), sorted(width for _, width in sizes)
    height, width = median(heights), median(widths)
    if heights[0] == heights[-1] and widths[0] == widths[-1] and max(height, width) <= _SIDES[-1]:
        reasons["size"] = f"all images that were opened are {heights[0]}x{widths[0]}"
        return heights[0], widths[0]
    short = min(height, width)
    side = max((one for one in _SIDES if one <= short), default=int(max(8, short)))
    reasons["size"] = (
        f"the images are {heights[0]} to {heights[-1]} pixels high and {widths[0]} to {widths[-1]} wide, mostly about "
        f"{height:.0f}x{width:.0f}; images of {side} pixels are trained on in minutes, larger ones show finer detail"
    )
    shaped = _shaped(side, width / height)
    if shaped != (side, side):
        reasons["size"] += "; most are far from square"
    return shaped


def _shaped(side: int, ratio: float) -> tuple[int, int]:
    """Height and width with a short side, and about the ratio of width to height where that is far from square."""
    if 0.6 <= ratio <= 1.67:
        return side, side
    longer = round(side * min(3.0, max(ratio, 1 / ratio)) / 8) * 8
    return (side, longer) if ratio > 1 else (longer, side)


def _blocks(side: int, images: int, reasons: dict[str, str]) -> tuple[Block, ...]:
    """Convolutions until about 4 to 6 pixels are left a side; more of them where there are images to fill them."""
    if side <= TINY:
        reasons["model"] = f"{side} pixels a side allow one pooling layer"
        return (Block((32, 64)), Block((128,), pools=False))
    if side <= SMALL:
        many = images >= _MANY
        reasons["model"] = f"images of {side} pixels a side, {images:,} of them: " + ("wide" if many else "narrow")
        if many:
            return (Block((32, 64)), Block((96, 192)), Block((192, 256)), Block((256,), pools=False))
        return (Block((32, 32)), Block((64, 64)), Block((128,)), Block((128,), pools=False))
    poolings = 3 if side < 64 else 4
    filters = (32, 64, 128, 128, 256)
    reasons["model"] = f"{poolings} pooling layers reduce {side} pixels a side to {side >> poolings}"
    return (*(Block((count,)) for count in filters[:poolings]), Block((filters[poolings],), pools=False))


def _epochs(images: int, side: int) -> int:
    if side <= SMALL and images >= _MANY:
        return 10
    return min(80, max(10, round(2000 / math.sqrt(images) / 5) * 5))


def _flips(names: Sequence[str], reasons: dict[str, str]) -> bool:
    like_digits = _like_digits(names)
    sided = [name for name in names if _SIDED.search(name)]
    if like_digits:
        reasons["flip"] = f"no mirroring: classes such as {like_digits[0]} look like digits or letters"
        return False
    if sided:
        reasons["flip"] = f"no mirroring: {sided[0]} would become another class"
        return False
    reasons["flip"] = "a mirrored image is assumed to have the same class"
    return True


def _like_digits(names: Sequence[str]) -> list[str]:
    """The names that are like those of digits or letters, where at least half of them are."""
    found = [name for name in names if _DIGITS_OR_LETTERS.fullmatch(name.strip())]
    return found if len(found) >= len(names) / 2 else []


def _shares(seen: DatasetSummary, reasons: dict[str, str]) -> tuple[float | None, float | None]:
    validation = None if "validation" in seen.sources else 0.15 if seen.total < 20_000 else 0.04
    test = None if "test" in seen.sources else 0.15
    if test is not None and min(seen.counts.values()) * test < 1 + (seen.total < _LEAST_FOR_TEST):
        reasons["test"] = "too few images for a test split: the metrics are those of the validation images"
        return (0.2 if validation is not None else None), 0.0
    if test is not None:
        reasons["test"] = "drawn evenly from every class, not used for training"
        if "test" in seen.unused:
            reasons["test"] += f"; {seen.unused['test']}"
    return validation, test
