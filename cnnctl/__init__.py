"""cnnctl: convolutional image classifiers, declared in a YAML file.

From Python, without a subprocess; whatever goes wrong is a CnnctlError:

    import cnnctl

    config = cnnctl.load_config("photos.yaml", {"train.epochs": 5})
    print(cnnctl.summarize(config))
    run = cnnctl.train(config, progress=True)
    print(run.accuracy, cnnctl.evaluate(run, data="new_photos"))
    answer = cnnctl.Predictor(run).predict("cat.jpg")
    print(answer.label, answer.probability)

Importing it costs nothing: each name brings what it needs when it is used.
"""

from typing import TYPE_CHECKING

__all__ = [
    "BusyError",
    "CheckedConfig",
    "CnnctlError",
    "Comparison",
    "Config",
    "ConfigError",
    "CrossValidated",
    "DataError",
    "Diagnosis",
    "DivergedError",
    "Evaluation",
    "Explanation",
    "ExportedModel",
    "ImageError",
    "ImageNumbers",
    "InterruptedTrainingError",
    "ListedRun",
    "MachineError",
    "NewConfig",
    "Prediction",
    "Predictor",
    "Pushed",
    "Report",
    "RunError",
    "RunList",
    "Summary",
    "Sweep",
    "TrainedRun",
    "UsageError",
    "__version__",
    "apply_fixes",
    "card",
    "check",
    "compare",
    "cross_validate",
    "doctor",
    "evaluate",
    "explain",
    "explain_numbers",
    "export",
    "init_config",
    "list_runs",
    "load_config",
    "open_run",
    "pull",
    "push",
    "report",
    "summarize",
    "sweep",
    "train",
]

if TYPE_CHECKING:
    from cnnctl.api.card import card
    from cnnctl.api.checking import CheckedConfig, check
    from cnnctl.api.comparison import Comparison, compare
    from cnnctl.api.configs import load_config
    from cnnctl.api.doctor import Diagnosis, apply_fixes, doctor
    from cnnctl.api.evaluation import Evaluation, evaluate
    from cnnctl.api.explanation import Explanation, ImageNumbers, explain, explain_numbers
    from cnnctl.api.exporting import ExportedModel, export
    from cnnctl.api.initial import NewConfig, init_config
    from cnnctl.api.prediction import Predictor
    from cnnctl.api.reporting import Report, report
    from cnnctl.api.runs import ListedRun, RunList, TrainedRun, list_runs, open_run
    from cnnctl.api.summary import Summary, summarize
    from cnnctl.api.sweeping import CrossValidated, Sweep, cross_validate, sweep
    from cnnctl.api.training import train
    from cnnctl.api.transfer import pull, push
    from cnnctl.config import Config
    from cnnctl.data.decoder.images import ImageError
    from cnnctl.errors import (
        BusyError,
        CnnctlError,
        ConfigError,
        DataError,
        DivergedError,
        InterruptedTrainingError,
        MachineError,
        RunError,
        UsageError,
    )
    from cnnctl.inference.answers import Prediction
    from cnnctl.transfer.push import Pushed
    from cnnctl.version import __version__
else:
    _HOMES = {
        "api.card": ("card",),
        "api.checking": ("CheckedConfig", "check"),
        "api.comparison": ("Comparison", "compare"),
        "api.configs": ("load_config",),
        "api.doctor": ("Diagnosis", "apply_fixes", "doctor"),
        "api.evaluation": ("Evaluation", "evaluate"),
        "api.explanation": ("Explanation", "ImageNumbers", "explain", "explain_numbers"),
        "api.exporting": ("ExportedModel", "export"),
        "api.initial": ("NewConfig", "init_config"),
        "api.prediction": ("Predictor",),
        "api.reporting": ("Report", "report"),
        "api.runs": ("ListedRun", "RunList", "TrainedRun", "list_runs", "open_run"),
        "api.summary": ("Summary", "summarize"),
        "api.sweeping": ("CrossValidated", "Sweep", "cross_validate", "sweep"),
        "api.training": ("train",),
        "api.transfer": ("pull", "push"),
        "inference.answers": ("Prediction",),
        "config": ("Config",),
        "data.decoder.images": ("ImageError",),
        "errors": (
            *("BusyError", "CnnctlError", "ConfigError", "DataError", "DivergedError", "InterruptedTrainingError"),
            *("MachineError", "RunError", "UsageError"),
        ),
        "transfer.push": ("Pushed",),
        "version": ("__version__",),
    }

    def __getattr__(name):
        from importlib import import_module

        home = next((home for home, names in _HOMES.items() if name in names), None)
        if home is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(f"{__name__}.{home}"), name)
        return value

    def __dir__():
        return sorted({*globals(), *__all__})
