"""What a report says of a run, and what it does where parts of the run are gone."""

import json
import os
import re
import shutil
from html import unescape
from pathlib import Path

import numpy as np
import pytest

from cnnctl.config import load
from cnnctl.data.decoder.images import opencv
from cnnctl.errors import BusyError, DiskError, Notice, RunError
from cnnctl.evaluation.evaluate import evaluate_split
from cnnctl.evaluation.report.gather import MOST_ROWS, SAMPLES, gather
from cnnctl.evaluation.report.write import write_report
from cnnctl.pictures.page import SMALL, compact
from cnnctl.pictures.preview import make_samples
from cnnctl.runs import Run
from cnnctl.runs.directory import own
from cnnctl.system import files
from tests.cli.command import cnnctl


@pytest.fixture
def run(digits_run, tmp_path) -> Run:
    """A copy of the digits' run that a test may change."""
    shutil.copytree(digits_run.run, tmp_path / "my run", ignore=shutil.ignore_patterns("report.html"))
    return Run(tmp_path / "my run")


def texts(html: str) -> str:
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", re.sub(r"data:image/[^\"]+", "", html))))


def test_the_whole_page(run):
    path = write_report(run)
    assert path == run.path / "report.html"
    assert path.stat().st_size < 5_000_000
    html = path.read_text()
    said, metrics, environment = texts(html), run.read_metrics(), run.read_environment()
    assert f"{metrics['accuracy']:.1%}" in said
    assert f"{metrics['validation']['loss']:.4f}" in said
    for version in (*environment["versions"].values(), environment["data_hash"], environment["device"]["name"]):
        assert version in said
    assert unescape(html).count(run.config.read_text()) == 1
    for split in ("train", "validation", "test"):
        _, labels = run.read_split(split)
        assert f" {labels.count('7')} " in said
    assert f"{1797:,} images of 10 classes" in said
    for layer in ("conv2d_1", "max_pooling2d", "64 filters 3x3, stride 1, padding same, relu", "4x4x64"):
        assert layer in said
    assert f"cnnctl train '{run.path}/config.yaml'" in said
    assert "cnnctl train /" in said
    assert html.count("<img ") == len(re.findall(r'src="data:image/(?:png|webp);base64,', html)) == 8


def test_what_a_run_lacks_is_left_out_or_named(run):
    shutil.rmtree(run.plots)
    environment = run.read_environment()
    files.write_json(run.environment, {key: environment[key] for key in ("epochs",)})
    text = run.split.read_text().replace("/digits-1/", "/digits-1/gone/")
    run.split.write_text(text)
    said = texts(write_report(run).read_text())
    assert "The run has no plots; cnnctl evaluate draws them." in said
    assert "The training images can no longer be read: " in said
    run.environment.unlink()
    write_report(run)


def test_a_run_without_an_evaluation(run):
    run.metrics.unlink()
    with pytest.raises(RunError, match=r"has no metrics\.json") as raised:
        write_report(run)
    assert raised.value.hint == "cnnctl evaluate makes it"
    run.metrics.write_text(json.dumps({"onnx": {}}))
    with pytest.raises(RunError, match="holds no evaluation"):
        write_report(run)
    assert not run.report.exists()


def test_a_run_in_use(run):
    lock = own(run)
    try:
        with pytest.raises(BusyError):
            write_report(run)
    finally:
        lock.release(remove=True)


def test_names_are_escaped_and_an_unbalanced_set_is_called_so(run):
    names = [f"<u>{number}</u>" for number in range(10)]
    files.write_json(run.classes, names)
    rows = [
        row
        for row in run.read_rows(run.split, ("path", "label", "split"))
        if row["label"] != "3" or row["split"] != "train"
    ]
    kept = [
        next(
            row
            for row in run.read_rows(run.split, ("path", "label", "split"))
            if row["label"] == "3" and row["split"] == "train"
        )
    ]
    written = [(row["path"], f"<u>{row['label']}</u>", row["split"]) for row in rows + kept]
    files.write_csv(run.split, ("path", "label", "split"), written)
    html = write_report(run).read_text()
    assert "<u>3" not in html
    assert "&lt;u&gt;3&lt;/u&gt;" in html
    found = gather(run).balance
    assert re.search(r"The largest class has \d{2,3}\.0 times the training images of the smallest\.", found.words)
    assert found.shares[3].counts[0] == "1"


def test_what_is_not_known_is_not_made_up(run):
    run.environment.write_text('{"command": ["cnnctl", "train", "caf\\udce9.yaml"], "device": null}')
    run.environment.write_bytes(run.environment.read_bytes().replace(b"\\udce9", b"\xe9"))
    assert run.read_environment()["command"][2] == "caf\udce9.yaml"
    said = texts(write_report(run).read_text())
    assert "finished" not in said
    assert "float32" not in gather(run).subtitle
    assert "cnnctl train 'caf\N{REPLACEMENT CHARACTER}.yaml'" in said


@pytest.mark.parametrize("more", [{"loss": 1.0}, {"accuracy_interval": 3}])
def test_metrics_of_another_form_are_named(run, more):
    files.write_json(run.metrics, {"accuracy": 0.5, "split": "test", **more})
    with pytest.raises(RunError, match=r"metrics\.json or environment\.json of .* does not hold what cnnctl writes"):
        write_report(run)


def test_a_class_without_training_images(run):
    rows = [
        row
        for row in run.read_rows(run.split, ("path", "label", "split"))
        if row["label"] != "3" or row["split"] != "train"
    ]
    files.write_csv(run.split, ("path", "label", "split"), [tuple(row.values()) for row in rows])
    assert gather(run).balance.words.endswith("classes. 1 of them have no training image.")


def test_a_pipe_among_the_images_is_not_waited_for(run, tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    rows = [
        (str(tmp_path / "pipe.png"), row["label"], row["split"])
        for row in run.read_rows(run.split, ("path", "label", "split"))
    ]
    files.write_csv(run.split, ("path", "label", "split"), rows)
    assert gather(run, with_images=True).samples_missing.endswith("pipe.png: it is a named pipe, not a regular file.")


def test_a_thousand_classes_and_layers_fit_on_a_page(run):
    names = [f"a class with a long name, number {number}" for number in range(1000)]
    files.write_json(run.classes, names)
    paths, _ = run.read_split("train")
    rows = [(path, names[at % 1000], "train") for at, path in enumerate(paths * 3)]
    files.write_csv(run.split, ("path", "label", "split"), rows)
    text = run.config.read_text()
    at = text.index("\nmodel:\n") + len("\nmodel:\n")
    run.config.write_text(text[:at] + "- repeat: {times: 900, layers: [{dropout: {rate: 0.1}}]}\n" + text[at:])
    path = write_report(run)
    assert path.stat().st_size < 5_000_000
    found = gather(run)
    assert len(found.balance.shares) == len(found.layers.rows) == MOST_ROWS
    assert "The first 300 of 90" in found.totals


def test_a_run_that_cannot_be_written_says_what_can_be_done(run, monkeypatch):
    def refuse(path, text, *_):
        raise DiskError(f"{path} cannot be written: No space left on device", "free some space or choose --output DIR")

    monkeypatch.setattr(files, "write_text", refuse)
    with pytest.raises(DiskError) as raised:
        write_report(run)
    assert raised.value.hint == "the report is written into the run: copy the run to a folder that you can write to"
    assert not run.lock.exists()


def test_pictures_of_photos_become_smaller(tmp_path: Path):
    noise = np.random.default_rng(0).integers(0, 256, (300, 400, 3)).astype(np.uint8)
    photo = opencv().GaussianBlur(noise, (0, 0), 3)
    content = opencv().imencode(".png", photo)[1].tobytes()
    assert len(content) > SMALL
    kind, packed = compact(content)
    assert kind == "webp"
    assert len(packed) < len(content) / 2
    again = opencv().imdecode(np.frombuffer(packed, np.uint8), 1)
    assert np.abs(again.astype(int) - photo).mean() < 4
    plain = opencv().imencode(".png", np.zeros((9, 9, 3), np.uint8))[1].tobytes()
    assert compact(plain) == ("png", plain)
    assert compact(b"x" * (SMALL + 1)) == ("png", b"x" * (SMALL + 1))
    noise = np.random.default_rng(0).integers(0, 256, (17_000, 9, 3)).astype(np.uint8)
    tall = opencv().imencode(".png", noise)[1].tobytes()
    assert compact(tall) == ("png", tall)


def moved_images(run: Run, folder: Path) -> None:
    """Let split.csv name copies of its images in another folder."""
    rows = list(run.read_rows(run.split, ("path", "label", "split")))
    moved = []
    for row in rows:
        copy = folder / row["label"] / Path(row["path"]).name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(row["path"], copy)
        moved.append((str(copy), row["label"], row["split"]))
    files.write_csv(run.split, ("path", "label", "split"), moved)


def test_images_that_only_the_run_names_are_not_shown_unless_asked(run, tmp_path):
    moved_images(run, tmp_path / "private")
    notices: list[Notice] = []
    path = write_report(run, warn=notices.append)
    words = "training images are not shown: they lie outside the data folders of the run's config"
    assert f"The {words}." in texts(path.read_text())
    assert notices == [Notice(f"the {words}", "--with-images shows them")]
    assert gather(run).samples is None
    assert gather(run, with_images=True).samples is not None
    notices.clear()
    write_report(run, with_images=True, warn=notices.append)
    assert notices == []


def test_links_and_dots_do_not_lead_out_of_the_data_folders(run, tmp_path):
    moved_images(run, tmp_path / "private")
    config = load(run.config)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "link").symlink_to(tmp_path / "private")
    (tmp_path / "data2").symlink_to(tmp_path / "private")
    text = run.config.read_text().replace(f"train: {config.data.train}\n", f"train: {tmp_path / 'data'}\n", 1)
    run.config.write_text(text)
    rows = list(run.read_rows(run.split, ("path", "label", "split")))
    for way in ("data/link", "data/../private", "data2", "private"):
        named = [(row["path"].replace("/private/", f"/{way}/"), row["label"], row["split"]) for row in rows]
        files.write_csv(run.split, ("path", "label", "split"), named)
        assert gather(run).samples is None, way
        assert gather(run, with_images=True).samples is not None, way
    run.config.write_text(text.replace(f"train: {tmp_path / 'data'}\n", f"train: {tmp_path / 'private'}\n", 1))
    assert gather(run).samples is not None


def test_partners_of_a_mix_are_not_read_elsewhere_either(run, tmp_path):
    rows = list(run.read_rows(run.split, ("path", "label", "split")))
    shown = {path for path, _ in zip(*run.read_split("train"), strict=True)}
    kept = {one.path for one in make_samples(load(run.config), *run.read_split("train"), SAMPLES, 0)}
    assert kept < shown
    moved_images(run, tmp_path / "private")
    names = [
        (row["path"] if row["path"] in kept else moved["path"], row["label"], row["split"])
        for row, moved in zip(rows, run.read_rows(run.split, ("path", "label", "split")), strict=True)
    ]
    files.write_csv(run.split, ("path", "label", "split"), names)
    assert gather(run).samples is not None
    run.config.write_text(
        re.sub(r"(?m)^augment:.*\n(- .*\n|  .*\n)*", "augment: [{mix_up: {alpha: 1}}]\n", run.config.read_text())
    )
    assert gather(run).withheld is not None
    assert gather(run, with_images=True).withheld is None


def test_a_csv_names_images_beside_it_and_in_its_folder(run, tmp_path):
    moved_images(run, tmp_path / "private")
    text = run.config.read_text()
    train = load(run.config).data.train
    for source, folder, found in (
        ("private/a.csv", "null", True),
        ("lists/a.csv", "null", False),
        ("lists/a.csv", tmp_path / "private", True),
    ):
        changed = text.replace(f"train: {train}\n", f"train: {tmp_path / source}\n", 1)
        run.config.write_text(changed.replace("folder: null\n", f"folder: {folder}\n", 1))
        assert (gather(run).samples is not None) == found


def test_no_images_of_a_run_of_another_user_unless_asked(run, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: run.path.stat().st_uid + 1)
    found = gather(run)
    assert found.samples is None
    assert found.withheld == "The training images are not shown: the run belongs to another user"
    assert gather(run, with_images=True).samples is not None


@pytest.mark.parametrize("what", ["link", "folder", "text", "pipe"])
def test_a_plot_that_is_no_picture_of_the_run_is_named(run, tmp_path, what):
    secret = tmp_path / "id_rsa"
    secret.write_text("SECRET")
    plot = run.plots / "mistakes.png"
    if what == "folder":
        run.plots.rename(tmp_path / "plots")
        run.plots.symlink_to(tmp_path / "plots")
        plot = run.plots
    else:
        plot.unlink()
        if what == "link":
            plot.symlink_to(secret)
        elif what == "text":
            shutil.copyfile(secret, plot)
        else:
            os.mkfifo(plot)
    with pytest.raises(RunError, match=re.escape(str(plot))):
        write_report(run)
    assert not run.report.exists()


def test_the_command_says_what_is_withheld(run, tmp_path):
    moved_images(run, tmp_path / "private")
    done = cnnctl("report", str(run.path), cwd=tmp_path)
    assert done.stderr == (
        "warning: the training images are not shown: they lie outside the data folders of the run's config\n"
        "  hint: --with-images shows them\n"
    )
    assert cnnctl("report", str(run.path), "--with-images", cwd=tmp_path).stderr == ""


def test_private_photos_that_a_stranger_names_are_not_shown(run, tmp_path):
    """Config and split.csv are both the stranger's, and say that the run was trained on photos of this machine."""
    moved_images(run, tmp_path / "private")
    train = load(run.config).data.train
    run.config.write_text(run.config.read_text().replace(f"train: {train}\n", f"train: {tmp_path / 'private'}\n", 1))
    whole = gather(run)
    assert whole.samples is not None
    assert whole.mistakes
    for path in (tmp_path / "private").rglob("*.png"):
        path.write_bytes(path.read_bytes() + b"private")
    evaluate_split(run, None, lambda done, total: None)
    found = gather(run)
    assert (found.samples, found.mistakes) == (None, ())
    assert found.withheld == (
        "The training images are not shown: the run's checkpoints do not say that it was trained on these files"
    )
    shown = gather(run, with_images=True)
    assert shown.samples is not None
    assert shown.mistakes
    shutil.rmtree(run.checkpoints)
    assert gather(run).samples is None
