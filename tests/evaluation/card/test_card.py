"""A model card says what a run has recorded, in the form that the hub's own library reads."""

import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from cnnctl.errors import BusyError, RunError, UsageError
from cnnctl.evaluation.card.text import plain
from cnnctl.evaluation.card.write import write_card
from cnnctl.runs import Run
from cnnctl.runs.directory import own
from cnnctl.system import files
from tests.conftest import Trained
from tests.runs.build import write_metrics, write_run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run of two classes whose names are marks of Markdown, YAML and HTML."""
    made = write_run(tmp_path / "my photos", {"/home/ada/cat.png": True, "/home/ada/dog.png": False})
    files.write_json(made.classes, ["a|b", "<b>*c*: #"])
    rows = [("/home/ada/1.png", "a|b", "train")] * 30 + [("/home/ada/2.png", "<b>*c*: #", "train")] * 5
    files.write_csv(made.split, ("path", "label", "split"), [*rows, ("/home/ada/3.png", "a|b", "test")])
    one = {"precision": 0.5, "recall": 0.25, "f1": 1 / 3, "support": 8}
    write_metrics(
        made,
        classes=["a|b", "<b>*c*: #"],
        per_class={"a|b": one, "<b>*c*: #": {**one, "recall": 0.75}},
        confusion_matrix=[[2, 6], [1, 3]],
        validation={"images": 4, "accuracy": 0.75, "accuracy_interval": [0.3, 0.95], "loss": 0.5},
    )
    return made


def read(path: Path) -> Any:
    from huggingface_hub import ModelCard

    return ModelCard.load(path)


def test_the_card_of_a_training(digits_run: Trained, tmp_path: Path) -> None:
    run = Run(tmp_path / "digits")
    shutil.copytree(digits_run.run, run.path)
    assert write_card(run) == run.path / "README.md"
    card, metrics = read(run.card), run.read_metrics()
    results = {
        (one.dataset_split, one.metric_type, one.metric_name): one.metric_value for one in card.data.eval_results
    }
    assert results["test", "accuracy", "accuracy"] == metrics["accuracy"]
    assert results["validation", "f1", "macro F1"] == metrics["validation"]["macro_average"]["f1"]
    assert (card.data.model_name, card.data.library_name, card.data.license) == ("digits", "cnnctl", None)
    assert {"image-classification", "keras", "onnx"} <= set(card.data.tags)
    low, high = metrics["accuracy_interval"]
    assert f"right on {metrics['accuracy']:.1%} of 359 test images (95% interval {low:.1%} to {high:.1%})" in card.text
    assert "| all | 1,169 | 269 | 359 |" in card.text
    assert f"{metrics['unknown_share']:.1%} of the test images" in card.text
    shown = re.findall(r"!\[.*?\]\((.*?)\)", card.text)
    assert shown == ["network.png", "plots/confusion_matrix_normalised.png"]
    assert all((run.path / name).read_bytes().startswith(b"\x89PNG") for name in shown)
    assert not run.lock.exists()


def test_how_to_use_it_without_cnnctl(digits_run: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The program in the card is run as it stands."""
    run = Run(tmp_path / "digits")
    shutil.copytree(digits_run.run, run.path)
    files.write_bytes(run.network, b"drawn before")
    (program,) = re.findall(r"```python\n(.*?)```", write_card(run).read_text(), re.DOTALL)
    assert run.network.read_bytes() == b"drawn before"
    shutil.copy(run.read_split("test")[0][0], run.path / "image.jpg")
    before = Path.cwd()
    os.chdir(run.path)
    try:
        exec(program, {})
    finally:
        os.chdir(before)
    assert set(re.findall(r"'(\d)'", capsys.readouterr().out)) == set("0123456789")


def test_names_are_text_and_paths_stay_here(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    text = write_card(run).read_text()
    assert "/home/ada" not in text
    assert str(run.path) not in text
    assert "<b>" not in text
    assert r"| a\|b | 30 | 1 |" in text
    assert r"| &lt;b&gt;\*c\*: \# | 0.500 | 0.750 | 0.333 | 8 |" in text
    assert r"a\|b taken for &lt;b&gt;\*c\*: \# (6 of 8)" in text
    assert r"a\|b (25.0% of 8)" in text
    assert "6.0 times the training images" in text
    assert "network.png" not in text
    results = read(run.card).data.eval_results
    assert [one.dataset_split for one in results] == ["test", "test", "test", "validation", "validation"]


def test_what_was_written_into_a_card_is_kept(run: Run, tmp_path: Path) -> None:
    files.write_bytes(run.network, b"drawn")
    write_card(run)
    run.card.write_text("mine")
    with pytest.raises(UsageError, match=r"there is a .*README\.md already") as raised:
        write_card(run)
    assert raised.value.hint == "--overwrite replaces it, and what was written into it"
    assert run.card.read_text() == "mine"
    write_card(run, overwrite=True)
    text = run.card.read_text()
    elsewhere = write_card(run, tmp_path / "deep" / "card")
    assert elsewhere.read_text() == text
    assert (tmp_path / "deep" / "card" / "network.png").is_file()


def test_a_run_that_is_not_complete(run: Run) -> None:
    lock = own(run)
    with pytest.raises(BusyError):
        write_card(run)
    lock.release(remove=True)
    write_metrics(run, split=None)
    with pytest.raises(RunError, match="holds no evaluation"):
        write_card(run)
    run.metrics.unlink()
    with pytest.raises(RunError, match=r"has no metrics\.json"):
        write_card(run)
    assert not run.card.exists()


@pytest.mark.parametrize(
    ("text", "expected"),
    [("cat", "cat"), ("a_b", r"a\_b"), ("[x](y)", r"\[x\](y)"), ("a\nb", r"a\\nb"), ("`$`", r"\`\$\`"), ("&", "&amp;")],
)
def test_plain(text: str, expected: str) -> None:
    assert plain(text) == expected
