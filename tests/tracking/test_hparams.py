"""What TensorBoard's HParams page shows of several runs, asked of TensorBoard's own program."""

from pathlib import Path
from typing import Any

import pytest

from cnnctl.config.dump import to_yaml
from cnnctl.runs import Run
from cnnctl.runs.find import find_run
from cnnctl.runs.listing import list_runs
from cnnctl.system import files
from cnnctl.tracking.events import Outcome, RunStarted
from cnnctl.tracking.hparams import different
from cnnctl.tracking.tensorboard import TensorBoard
from tests.config.build import config
from tests.tracking.build import MACHINE, figures

TEXT = "name: shapes\ndata: {train: photos}\nmodel: [conv2d: {filters: 32, kernel_size: 3}, flatten]\n"
ADAM, ADAMW = (f"train: {{optimizer: {{{name}: {{learning_rate: 0.01}}}}}}\n" for name in ("adam", "adamw"))
FILE = "events.out.tfevents.0.cnnctl"


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path("runs") / "shapes"


def trained(folder: Path, text: str = TEXT) -> None:
    """A run of a config, after its training."""
    run, settings = Run(folder), config(text)
    files.write_text(run.config, to_yaml(settings))
    tracker = TensorBoard()
    tracker.begin(RunStarted(run, settings, [], MACHINE))
    tracker.epoch(1, figures(1))
    tracker.end(Outcome("finished", 1, {"test": {"accuracy": 0.75, "loss": 0.5}}))


def page(folder: Path) -> tuple[Any, Any]:
    """(the columns, the rows) that the page gets."""
    from tensorboard import context
    from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
    from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
    from tensorboard.plugins.base_plugin import TBContext
    from tensorboard.plugins.hparams import api_pb2, get_experiment, list_session_groups
    from tensorboard.plugins.hparams.backend_context import Context

    found = EventMultiplexer(tensor_size_guidance={"hparams": 0, "scalars": 0})
    found.AddRunsFromDirectory(str(folder))
    found.Reload()
    read = Context(TBContext(data_provider=MultiplexerDataProvider(found, str(folder)), multiplexer=found))
    asked = api_pb2.GetExperimentRequest(include_metrics=True)
    experiment = get_experiment.Handler(context.RequestContext(), read, "", asked).run()
    wanted = api_pb2.ListSessionGroupsRequest(
        allowed_statuses=[api_pb2.STATUS_SUCCESS],
        col_params=[{"metric": {"group": one.name.group, "tag": one.name.tag}} for one in experiment.metric_infos],
        slice_size=100,
        include_metrics=True,
    )
    return experiment, list_session_groups.Handler(context.RequestContext(), read, "", wanted).run().session_groups


def test_only_what_differs_is_a_column(runs: Path) -> None:
    trained(runs / "1")
    assert not (runs / FILE).exists()
    trained(runs / "2", TEXT + ADAM)
    experiment, rows = page(runs)
    (column,) = experiment.hparam_infos
    assert (column.name, column.differs) == ("train.optimizer.adam.learning_rate", True)
    assert (column.domain_interval.min_value, column.domain_interval.max_value) == (0.001, 0.01)
    assert [one.display_name for one in experiment.metric_infos][:3] == [
        "test accuracy",
        "test loss",
        "validation accuracy",
    ]
    assert {row.name: row.hparams[column.name].number_value for row in rows} == {"shapes 1": 0.001, "shapes 2": 0.01}
    accuracies = {(one.name.group, one.name.tag): one.value for one in rows[0].metric_values}
    assert (accuracies["test", "epoch_accuracy"], accuracies["validation", "epoch_accuracy"]) == (0.75, 0.125)


def test_what_only_one_run_has_differs_too(runs: Path) -> None:
    """TensorBoard itself takes a setting of one run for one that all share."""
    trained(runs / "1", TEXT + ADAM)
    trained(runs / "2", TEXT.replace("flatten]", "batch_normalization, flatten]") + ADAMW)
    experiment, _ = page(runs)
    names = [one.name for one in experiment.hparam_infos]
    assert "train.optimizer.adam.learning_rate" in names
    assert "train.optimizer.adamw.weight_decay" in names
    assert "model[1].batch_normalization.momentum" in names
    assert "train.epochs" not in names
    (centre,) = [one for one in experiment.hparam_infos if one.name == "model[1].batch_normalization.center"]
    assert [value.bool_value for value in centre.domain_discrete.values] == [True]


def test_runs_that_are_alike_again_have_no_list(runs: Path) -> None:
    trained(runs / "1", TEXT)
    trained(runs / "2", TEXT + ADAM)
    assert (runs / FILE).exists()
    (runs / "2" / "config.yaml").write_text("not: [a config")
    trained(runs / "10", TEXT)
    assert not (runs / FILE).exists()


def test_a_run_elsewhere_writes_nothing_beside_it(tmp_path: Path) -> None:
    for name in ("1", "2"):
        trained(tmp_path / "mine" / name, TEXT + (ADAM if name == "2" else ""))
    assert sorted(path.name for path in (tmp_path / "mine").iterdir()) == ["1", "2"]


def test_the_list_is_no_run(runs: Path) -> None:
    trained(runs / "1")
    trained(runs / "2", TEXT + ADAM)
    assert {one.run.path.name for one in list_runs(runs)} <= {"1", "2"}
    files.write_text(runs / "2" / "model.onnx", "")
    assert find_run(runs / "2").path == runs / "2"


def test_a_list_that_cannot_be_written_stops_no_training(runs: Path) -> None:
    trained(runs / "1")
    (runs / FILE).mkdir()
    trained(runs / "2", TEXT + ADAM)
    assert page(runs)[1][0].name == "shapes 1"


def test_values_of_all_kinds() -> None:
    one = {"a": 1, "b": None, "c": True, "d": "x"}
    assert different([one, {**one, "b": 0.5}, {**one, "c": False}]) == {
        "b": [None, 0.5, None],
        "c": [True, True, False],
    }
    assert different([one, {"a": 1}]) == {"b": [None], "c": [True], "d": ["x"]}
    assert different([one]) == different([]) == {}
