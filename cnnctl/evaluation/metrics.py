"""How good probabilities are, given the truth. A new metric is one row of METRICS."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from cnnctl.evaluation import labels
from cnnctl.evaluation.selective import Answered, Covered
from cnnctl.evaluation.significance import wilson

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Probabilities = NDArray[np.float32]  # (images, classes); rows sum to 1, unless images may have several labels
    Truth = NDArray[np.int64]  # (images,), the number of each image's class

TOP = 5
_SMALLEST_PROBABILITY = 1e-7  # Keras' backend.epsilon(), where its losses clip

Figures = Mapping[str, Any]
"""What metrics came to, by their keys; what does not apply is left out. The form of metrics.json."""


def _right(probabilities: "Probabilities", truth: "Truth") -> int:
    return int((probabilities.argmax(axis=1) == truth).sum())


def _accuracy_interval(probabilities: "Probabilities", truth: "Truth") -> tuple[float, float]:
    return wilson(_right(probabilities, truth), len(truth))


def _loss(probabilities: "Probabilities", truth: "Truth") -> float:
    import numpy as np

    own = probabilities[np.arange(len(truth)), truth].astype(np.float64)
    return abs(float(np.log(np.clip(own, _SMALLEST_PROBABILITY, 1.0)).mean()))  # of a perfect model 0.0, not -0.0


def _top_5_accuracy(probabilities: "Probabilities", truth: "Truth") -> float | None:
    from sklearn.metrics import top_k_accuracy_score

    count = probabilities.shape[1]
    return float(top_k_accuracy_score(truth, probabilities, k=TOP, labels=range(count))) if count > TOP else None


def _roc_auc(probabilities: "Probabilities", truth: "Truth") -> float | None:
    from sklearn.metrics import roc_auc_score

    two = probabilities.shape[1] == 2 and len(set(truth.tolist())) == 2
    return float(roc_auc_score(truth, probabilities[:, 1])) if two else None


def _calibration_error(probabilities: "Probabilities", truth: "Truth") -> float:
    from cnnctl.evaluation.calibration import calibration

    return calibration(probabilities, truth).expected_error


@dataclass(frozen=True)
class Metric:
    """One figure of an evaluation: how it is computed, and how it is shown everywhere.

    Attributes:
        key: In metrics.json.
        title: For people.
        format: Of its value, such as `.1%`.
        better: Which values are better; None where it says nothing of quality.
        compute: Its value, of (probabilities, truth); None where it does not apply. A figure that is of neither has no
            such function.
        of_several: Its value where images may have several labels.
        is_optional: Whether metrics.json may lack it: it does not always apply, or runs of earlier versions have none.
        is_main: Whether it is shown when a training ends, and named with its split: `test accuracy`.
        interval: The 95% interval around it, which is beside it in metrics.json.
        interval_of_several: The same where images may have several labels.
        title_of_several: Its title there, where it says something else.
        column: Its title at the head of a column, where that is shorter.
        column_format: In such a column, where that is finer.
    """

    key: str
    title: str
    format: str
    better: Literal["higher", "lower"] | None
    compute: "Callable[[Probabilities, Truth], float | None] | None"
    is_optional: bool = False
    is_main: bool = False
    interval: "Callable[[Probabilities, Truth], tuple[float, float]] | None" = None
    of_several: Callable[[labels.Several], float | None] | None = None
    interval_of_several: Callable[[labels.Several], tuple[float, float]] | None = None
    title_of_several: str = ""
    column: str = ""
    column_format: str = ""

    @property
    def interval_key(self) -> str:
        """Of the interval, in metrics.json."""
        return f"{self.key}_interval"

    def named(self, figures: Figures) -> str:
        """Its title beside these figures."""
        return self.title_of_several if self.title_of_several and are_of_several(figures) else self.title

    def text(self, figures: Figures, in_column: bool = False) -> str:
        """Its value for people; empty where it does not apply."""
        value, finer = figures.get(self.key), self.column_format if in_column else ""
        return "" if value is None else format(value, finer or self.format)

    def interval_text(self, figures: Figures) -> str:
        """`91.2% to 95.7%`; empty where there is no interval."""
        return " to ".join(format(end, self.format) for end in figures.get(self.interval_key) or ())

    def best(self, runs: Sequence[Figures]) -> int:
        """The index of the best run; of equal ones the first."""
        sign = -1 if self.better == "lower" else 1
        return max(range(len(runs)), key=lambda index: sign * runs[index][self.key])


def are_of_several(figures: Figures) -> bool:
    """Whether figures are of images that may have several labels."""
    return "macro_f1" in figures


RANKING = Metric(
    key="accuracy",
    title="accuracy",
    format=".1%",
    better="higher",
    compute=lambda probabilities, truth: _right(probabilities, truth) / len(truth),
    is_main=True,
    interval=_accuracy_interval,
    of_several=lambda several: float(several.correct.mean()),
    interval_of_several=labels.all_right_interval,
    title_of_several="accuracy (all labels right)",
    column_format=".2%",
)
"""The figure by which runs are ranked."""

RANKING_OF_SEVERAL = Metric(
    "macro_f1", "macro F1", ".3f", "higher", None, is_optional=True, is_main=True, of_several=labels.macro_f1
)
"""That of runs of which images may have several labels."""

METRICS = (
    Metric(
        "images",
        "images",
        ",",
        None,
        lambda _, truth: len(truth),
        is_main=True,
        of_several=lambda several: len(several.truth),
    ),
    RANKING,
    Metric("loss", "loss", ".4f", "lower", _loss, is_main=True, of_several=labels.loss),
    Metric(
        "mean_average_precision",
        "mean average precision",
        ".3f",
        "higher",
        None,
        is_optional=True,
        is_main=True,
        of_several=labels.mean_average_precision,
    ),
    RANKING_OF_SEVERAL,
    Metric("micro_f1", "micro F1", ".3f", "higher", None, is_optional=True, is_main=True, of_several=labels.micro_f1),
    Metric("top_5_accuracy", "top-5 accuracy", ".1%", "higher", _top_5_accuracy, is_optional=True, column_format=".2%"),
    Metric("roc_auc", "ROC-AUC", ".4f", "higher", _roc_auc, is_optional=True),
    Metric(
        "expected_calibration_error",
        "expected calibration error",
        ".4f",
        "lower",
        _calibration_error,
        of_several=labels.calibration_error,
        column="calibration error",
    ),
    Metric("unknown_share", "called unknown", ".1%", None, None, is_optional=True, column="unknown"),
)
"""In the order of metrics.json and of every table."""

CLASS_METRICS = (
    ("precision", "precision", ".3f"),
    ("recall", "recall", ".3f"),
    ("f1", "F1", ".3f"),
    ("support", "support", ","),
)
"""(field of ClassMetrics, title, format)."""

LABEL_METRICS = (("average_precision", "average precision", ".3f"), ("threshold", "threshold", ".3f"))
"""(field of LabelMetrics, title, format), besides."""


@dataclass(frozen=True)
class ClassMetrics:
    """One class against the rest. `support` is the number of its images; without any, recall and F1 are 0."""

    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class LabelMetrics(ClassMetrics):
    """The same where images may have several labels: the area under the precision-recall curve, None without images of
    the class, and the probability from which on an image gets the label.
    """

    average_precision: float | None
    threshold: float


@dataclass(frozen=True)
class Metrics:
    """The evaluation of one split.

    `figures` has what each of METRICS came to, and its 95% interval. `classes` and `per_class` are in label order.
    `confusion_matrix` counts images; its rows are the truth, its columns the answers. `answered` says how right the
    model is where it is sure, `covered` what its prediction sets hold; it is empty where there are no scores for sets.
    Where images may have several labels, `per_class` are LabelMetrics, and there is no confusion matrix and no set.
    """

    figures: Figures
    classes: tuple[str, ...]
    per_class: tuple[ClassMetrics, ...]
    confusion_matrix: tuple[tuple[int, ...], ...]
    answered: tuple[Answered, ...]
    covered: tuple[Covered, ...]

    @property
    def images(self) -> int:
        """How many."""
        return int(self.figures["images"])

    @property
    def accuracy(self) -> float:
        """Share of right answers: of images with several labels those that got all of them and no others."""
        return float(self.figures["accuracy"])

    @property
    def accuracy_interval(self) -> tuple[float, float]:
        """The 95% interval of the accuracy (Wilson 1927)."""
        low, high = self.figures["accuracy_interval"]
        return low, high

    @property
    def loss(self) -> float:
        """Mean cross-entropy in nats, as Keras computes it."""
        return float(self.figures["loss"])

    @property
    def top_5_accuracy(self) -> float | None:
        """Share of images whose class is among the five most probable; None for five classes or fewer."""
        return self.figures.get("top_5_accuracy")

    @property
    def roc_auc(self) -> float | None:
        """Area under the ROC curve of the second class; None unless there are two classes, both present."""
        return self.figures.get("roc_auc")

    @property
    def expected_calibration_error(self) -> float:
        """Mean gap between probability and accuracy (Guo et al. 2017, 15 bins of equal width)."""
        return float(self.figures["expected_calibration_error"])

    @property
    def mean_average_precision(self) -> float | None:
        """Mean of the classes' areas under precision-recall curves; None unless images may have several labels."""
        return self.figures.get("mean_average_precision")

    @property
    def macro_f1(self) -> float | None:
        """Mean F1 of the classes, by their thresholds; None unless images may have several labels."""
        return self.figures.get("macro_f1")

    @property
    def micro_f1(self) -> float | None:
        """F1 over all labels of all images; None unless images may have several labels."""
        return self.figures.get("micro_f1")

    @property
    def several(self) -> bool:
        """Whether images may have several labels."""
        return are_of_several(self.figures)

    @property
    def unknown_share(self) -> float | None:
        """Share of images that `predict` calls unknown; None where the run cannot tell."""
        return self.figures.get("unknown_share")

    @property
    def averages(self) -> dict[str, ClassMetrics]:
        """The means over classes, each counting alike (`macro_average`) or by its images (`weighted_average`)."""
        import numpy as np

        counts = [one.support for one in self.per_class]

        def mean(weights: Sequence[int] | None) -> ClassMetrics:
            rows = [(one.precision, one.recall, one.f1) for one in self.per_class]
            precision, recall, f1 = np.average(rows, axis=0, weights=weights if any(counts) else None)
            return ClassMetrics(float(precision), float(recall), float(f1), sum(counts))

        return {"macro_average": mean(None), "weighted_average": mean(counts)}

    def to_json(self) -> dict[str, Any]:
        """The form of metrics.json; what does not apply is left out."""
        return {
            **self.figures,
            "classes": list(self.classes),
            **{name: asdict(one) for name, one in self.averages.items()},
            "per_class": {name: asdict(one) for name, one in zip(self.classes, self.per_class, strict=True)},
            **({} if self.several else {"confusion_matrix": [list(row) for row in self.confusion_matrix]}),
            "answered": [asdict(one) for one in self.answered],
            **({"prediction_sets": [asdict(one) for one in self.covered]} if self.covered else {}),
        }


def read_figures(content: Figures) -> dict[str, Any]:
    """The figures in the content of a metrics.json.

    Raises:
        LookupError: one is missing.
        TypeError: one has another form.
        ValueError: one is no finite number.
    """
    figures: dict[str, Any] = {}
    for metric in METRICS:
        if metric.is_optional and metric.key not in content:
            continue
        number = finite(content[metric.key])
        figures[metric.key] = int(number) if metric.format == "," else number
        if metric.interval is not None:
            low, high = content[metric.interval_key]
            figures[metric.interval_key] = (finite(low), finite(high))
    return figures


def finite(value: object) -> float:
    """A number of a JSON file.

    Raises:
        ValueError: it is no finite number.
    """
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(value)
    return float(value)
