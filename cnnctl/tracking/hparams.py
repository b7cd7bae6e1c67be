"""Which settings TensorBoard's HParams page shows: those in which the runs of a name differ.

TensorBoard takes the list from one event file above the runs, runs/NAME/events.out.tfevents.0.cnnctl, where there is
one. Without it, it fills its columns with settings that all runs share, and does not see that runs differ in a setting
that only one of them has.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from cnnctl.config import Config
from cnnctl.config.dump import leaves, to_plain
from cnnctl.data.split import TEST, TRAIN, VALIDATION
from cnnctl.errors import CnnctlError, MachineError
from cnnctl.runs import Run
from cnnctl.runs.directory import RUNS
from cnnctl.system import files

if TYPE_CHECKING:
    from tensorboard.plugins.hparams.api_pb2 import Experiment, HParamInfo

_NAME = "events.out.tfevents.0.cnnctl"
_MOST_RUNS = 200
"""The newest ones are looked at: each takes milliseconds."""


def write_experiment(run: Run, config: Config) -> None:
    """Write the list of a run and those beside it; of a run that is not runs/NAME/NUMBER nothing is written.

    It is a convenience: where it cannot be written, nothing is said.
    """
    folder = files.absolute(run.path).parent
    if not run.path.name.isdecimal() or folder.parent.name != RUNS:
        return
    with suppress(OSError, MachineError):
        runs = [Run(child) for child in folder.iterdir() if child.name.isdecimal() and _has_events(Run(child))]
        newest = sorted(runs, key=lambda one: int(one.path.name))[-_MOST_RUNS:]
        found = [_settings(one, config if one.path.name == run.path.name else None) for one in newest]
        differing = different([one for one in found if one])
        if differing:
            files.write_bytes(folder / _NAME, _event_file(_experiment(differing, newest)))
        else:
            (folder / _NAME).unlink(missing_ok=True)


def _has_events(run: Run) -> bool:
    try:
        return run.has_folder(run.tensorboard)
    except CnnctlError:  # a link
        return False


def _settings(run: Run, config: Config | None) -> dict[str, Any]:
    """The values of a run's config by their paths; none where it cannot be read."""
    try:
        return dict(leaves(to_plain(config or run.read_config())))
    except CnnctlError:
        return {}


def different(runs: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """The values of each setting that is not the same in all runs, or that not all of them have."""
    paths = dict.fromkeys(path for one in runs for path in one)
    values = {path: [one[path] for one in runs if path in one] for path in paths}
    return {path: of for path, of in values.items() if len(of) < len(runs) or any(one != of[0] for one in of)}


def _experiment(differing: Mapping[str, Sequence[Any]], runs: Sequence[Run]) -> "Experiment":
    from tensorboard.plugins.hparams.api_pb2 import Experiment, MetricInfo, MetricName

    splits = [
        split for split in (TEST, VALIDATION, TRAIN) if any(one.has_folder(one.tensorboard / split) for one in runs)
    ]
    metrics = [
        MetricInfo(name=MetricName(group=split, tag=f"epoch_{metric}"), display_name=f"{split} {metric}")
        for split in splits
        for metric in ("accuracy", "loss")
    ]
    return Experiment(hparam_infos=[_info(path, of) for path, of in differing.items()], metric_infos=metrics)


def _info(path: str, values: Sequence[Any]) -> "HParamInfo":
    from tensorboard.plugins.hparams.api_pb2 import DATA_TYPE_BOOL, DATA_TYPE_FLOAT64, DATA_TYPE_STRING, HParamInfo

    info = HParamInfo(name=path, differs=True)
    if all(isinstance(value, bool) for value in values):
        info.type = DATA_TYPE_BOOL
        info.domain_discrete.extend(sorted(set(values)))
    elif all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        info.type = DATA_TYPE_FLOAT64
        info.domain_interval.min_value, info.domain_interval.max_value = min(values), max(values)
    else:
        info.type = DATA_TYPE_STRING
        info.domain_discrete.extend(sorted(set(map(shown, values))))
    return info


def shown(value: object) -> str:
    """A value as TensorBoard's text: nothing is `none`, truth is `true`, as in a config."""
    if value is None:
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _event_file(experiment: "Experiment") -> bytes:
    import io

    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams.metadata import EXPERIMENT_TAG, NULL_TENSOR, create_summary_metadata
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
    from tensorboard.summary.writer.record_writer import RecordWriter

    metadata = create_summary_metadata(HParamsPluginData(experiment=experiment))
    value = Summary.Value(tag=EXPERIMENT_TAG, tensor=NULL_TENSOR, metadata=metadata)
    writer = RecordWriter(content := io.BytesIO())
    writer.write(Event(file_version="brain.Event:2").SerializeToString())
    writer.write(Event(summary=Summary(value=[value])).SerializeToString())
    return content.getvalue()
