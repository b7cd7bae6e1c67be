"""The YAML head of a model card, which the hub reads: tags, the task, and the metrics as its model index."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cnnctl.config import Config
from cnnctl.config.load import BUILT_IN_DATA
from cnnctl.data.split import SPLITS
from cnnctl.evaluation.metrics import METRICS
from cnnctl.formatting import printable

LICENSE = "# license:  # yours to choose, such as apache-2.0: the images decide too\n"
_TASK = "image-classification"
_OF_CLASSES = {"macro_average": "macro F1", "weighted_average": "weighted F1"}


def head(title: str, config: Config, metrics: Mapping[str, Any], frameworks: list[str]) -> str:
    """The head, with its two lines of ---; nothing in it names a path of this machine."""
    import yaml

    results = [
        {
            "task": {"type": _TASK, "name": "Image classification"},
            "dataset": {"name": data_name(config), "type": _kind(config), "split": split},
            "metrics": list(_metrics(figures)),
        }
        for split, figures in scored(metrics)
    ]
    said = {
        "library_name": "cnnctl",
        "pipeline_tag": _TASK,
        "tags": ["cnnctl", _TASK, *frameworks],
        "metrics": ["accuracy"],
        "model-index": [{"name": title, "results": results}],
    }
    text = yaml.safe_dump(said, sort_keys=False, allow_unicode=True, width=120)
    return f"---\n{LICENSE}{text}---\n"


def data_name(config: Config) -> str:
    """What the images are called: the last part of where they lie."""
    source = str(config.data.train)
    return printable(Path(source).name or source)


def scored(metrics: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """Each split that was evaluated and its figures, the main one first."""
    return [(str(metrics["split"]), metrics), *((name, metrics[name]) for name in SPLITS if name in metrics)]


def _kind(config: Config) -> str:
    source = str(config.data.train)
    return source if source in BUILT_IN_DATA else "imagefolder"


def _metrics(figures: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for metric in METRICS:
        value = figures.get(metric.key)
        if value is not None and metric.key != "images":
            interval = figures.get(metric.interval_key)
            more = {} if interval is None else {"args": {"interval_95": [float(end) for end in interval]}}
            yield {"type": metric.key, "name": metric.named(figures), "value": float(value), **more}
    for key, name in _OF_CLASSES.items():
        if key in figures:
            yield {"type": "f1", "name": name, "value": float(figures[key]["f1"])}
