"""The whole command: flipped labels of digits, a hostile folder of photos, what is shown, and Python."""

import csv
import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import cnnctl as api
from cnnctl.data.decoder.images import opencv
from cnnctl.errors import ConfigError, DataError
from cnnctl.examining.subject import _refuse_several_labels
from tests.cli.command import cnnctl, fail, succeed
from tests.conftest import CONFIGS, Trained
from tests.images import photo

DIGITS = CONFIGS / "digits.yaml"


@dataclass(frozen=True)
class Flipped:
    """A run of digits whose split.csv has some wrong labels: their rows, and the folder that the run is in."""

    run: Path
    folder: Path
    wrong: frozenset[str]


@pytest.fixture(scope="module")
def flipped(digits_run: Trained, tmp_path_factory: pytest.TempPathFactory) -> Flipped:
    folder = tmp_path_factory.mktemp("flipped")
    run = folder / "run"
    shutil.copytree(digits_run.run, run)
    with (run / "split.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    draws = np.random.default_rng(0)
    chosen = draws.choice(len(rows), len(rows) // 50, replace=False)
    for row in chosen:
        rows[row]["label"] = str((int(rows[row]["label"]) + draws.integers(1, 10)) % 10)
    with (run / "split.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return Flipped(run, folder, frozenset(rows[row]["path"] for row in chosen))


def test_flipped_labels_of_digits_are_found(flipped: Flipped) -> None:
    value = json.loads(succeed("doctor", flipped.run, "--json", cwd=flipped.folder))
    found = [one for one in value["findings"] if one["finding"] == "label"]
    right = {one["path"] for one in found} & flipped.wrong
    assert len(right) >= 0.85 * len(flipped.wrong)
    assert len(found) < 2 * len(flipped.wrong)
    first = {one["path"] for one in found[: len(flipped.wrong)]}
    assert len(first & flipped.wrong) >= 0.75 * len(flipped.wrong)
    sure = [one["path"] for one in found if one["suggestion"] == "relabel"]
    assert len(sure) > 10
    assert len(flipped.wrong.intersection(sure)) >= 0.75 * len(sure)
    assert {one["split"] for one in found} == {"train", "validation", "test"}
    assert len(value["judged"]) == 2
    assert "themselves left out" in value["judged"][1]
    assert value["left_out"] == []
    assert value["images"] == {"test": 359, "train": 1169, "validation": 269}

    with (flipped.folder / value["fixes"]).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows if row["finding"] == "label"] == [one["path"] for one in found]
    assert {row["action"] for row in rows} == {""}


def test_answers_of_networks_that_have_not_seen_the_images_are_used(flipped: Flipped) -> None:
    with (flipped.run / "split.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    with (flipped.folder / "predictions.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("repetition", "fold", "path", "label", "predicted", "probability", "correct"))
        for repetition in (1, 2):
            for row in rows:
                writer.writerow((repetition, 1, row["path"], row["label"], Path(row["path"]).parent.name, 0.9, "true"))
    words = ["doctor", str(flipped.run), "--predictions", "predictions.csv", "--output", "out", "--json"]
    value = json.loads(succeed(*words, cwd=flipped.folder))
    found = [one for one in value["findings"] if one["finding"] == "label"]
    assert {one["path"] for one in found} == flipped.wrong
    assert all(one["new_label"] == Path(one["path"]).parent.name for one in found)
    assert value["judged"] == ["labels of 1,797 images by the answers in predictions.csv"]

    (flipped.folder / "wrong.csv").write_text(f"path,predicted,probability\n{rows[0]['path']},ten,0.5\n")
    said = fail(3, "doctor", flipped.run, "--predictions", "wrong.csv", cwd=flipped.folder)
    assert "wrong.csv: line 2: the data has no class ten" in said


def test_a_run_with_another_split_is_refused(flipped: Flipped, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(flipped.run, run)
    split = run / "split.csv"
    split.write_text(split.read_text().replace(",validation\n", ",\x1b[31mhidden\n"))
    said = fail(4, "doctor", run, cwd=tmp_path)
    assert "has the split" in said
    assert "\x1b" not in said


def test_a_model_without_features_says_what_is_left_out(flipped: Flipped, tmp_path: Path) -> None:
    import onnx

    run = tmp_path / "run"
    shutil.copytree(flipped.run, run)
    (run / "unknown.json").unlink()
    model = onnx.load(run / "model.onnx")
    del model.graph.output[1:]
    onnx.save(model, run / "model.onnx")
    value = json.loads(succeed("doctor", run, "--json", cwd=tmp_path))
    assert "no output features" in value["left_out"][0]
    assert {one["split"] for one in value["findings"] if one["finding"] == "label"} == {"test", "validation"}


@pytest.fixture(scope="module")
def mess(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with mess.yaml and photos: copies, a blurred, a dark and an empty one, no image, and a hostile name."""
    cv2 = opencv()
    root = tmp_path_factory.mktemp("mess")
    draws = np.random.default_rng(9)
    for number in range(60):
        grain = draws.normal(0, 10, (72, 72, 3))
        image = np.clip(photo(72, 72, number) + grain, 0, 255).astype(np.uint8)
        path = root / "photos" / ("cat" if number % 2 else "dog") / f"{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), image)
    cat = root / "photos" / "cat"
    first = cv2.imread(str(cat / "01.png"))
    cv2.imwrite(str(cat / "01 again.jpg"), first, (cv2.IMWRITE_JPEG_QUALITY, 60))
    shutil.copy(cat / "03.png", root / "photos" / "dog" / "03 too.png")
    cv2.imwrite(str(cat / "blurred.png"), cv2.GaussianBlur(cv2.imread(str(cat / "05.png")), (0, 0), 9))
    cv2.imwrite(str(cat / "dark.png"), (cv2.imread(str(cat / "07.png")) * 0.1).astype(np.uint8))
    cv2.imwrite(str(cat / "red.png"), np.full((50, 50, 3), (0, 0, 255), np.uint8))
    (cat / "<script>alert(1)<b>.jpg").write_bytes(b"\xff\xd8\xff\xe0 cut off")
    config = "name: mess\ndata:\n  train: photos\n  validation: 0\n  on_bad_image: skip\n  image: {size: 64}\n"
    (root / "mess.yaml").write_text(f"{config}model: [flatten]\n")
    return root


def test_what_needs_no_network_is_found_in_a_config(mess: Path) -> None:
    text = succeed("doctor", "mess.yaml", cwd=mess)
    folder = mess / "doctor" / "mess" / "1"
    with (folder / "fixes.csv").open(newline="") as file:
        found = {(row["finding"], Path(row["path"]).name): row for row in csv.DictReader(file)}
    assert {kind for kind, _ in found} == {"conflict", "duplicate", "unreadable", "empty", "blurred", "dark"}
    assert {name for kind, name in found if kind == "duplicate"} >= {"01.png", "01 again.jpg"}
    assert {name for kind, name in found if kind == "conflict"} == {"03.png", "03 too.png"}
    assert ("blurred", "blurred.png") in found
    assert ("dark", "dark.png") in found
    assert found["duplicate", "dark.png"]["suggestion"] == "drop"  # and not what it is a copy of
    assert found["empty", "red.png"]["suggestion"] == "drop"
    assert "the same file as" in found["conflict", "03.png"]["about"]
    assert "cut off" in found["unreadable", "<script>alert(1)<b>.jpg"]["about"]
    assert "near-duplicates in two classes" in text
    assert "left out: labels that are contradicted" in text
    assert "next    cnnctl doctor mess.yaml --apply doctor/mess/1/fixes.csv" in text

    page = (folder / "index.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;b&gt;.jpg" in page
    assert not re.search(r"(?:src|href)=\"(?!data:|#)", page)
    assert page.count("data:image/webp;base64,") >= 8

    assert "is not empty" in fail(2, "doctor", "mess.yaml", "--output", folder, cwd=mess)
    assert json.loads(succeed("doctor", "mess.yaml", "--json", cwd=mess))["folder"] == "doctor/mess/2"


def test_the_decisions_are_given_back(mess: Path) -> None:
    assert succeed("doctor", "mess.yaml", "--output", "out", "--quiet", cwd=mess) == "out/index.html\nout/fixes.csv\n"
    path = mess / "out" / "fixes.csv"
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["action"] = "drop" if row["suggestion"] == "drop" else ""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    text = succeed("doctor", "mess.yaml", "--apply", path, cwd=mess)
    dropped = {row["path"] for row in rows if row["action"]}
    assert f"0 relabelled, {len(dropped)} dropped; {66 - len(dropped)} images are listed" in text
    assert f"  train: {mess / 'out' / 'train.csv'}" in text
    (mess / "new.yaml").write_text((mess / "mess.yaml").read_text().replace("photos", "out/train.csv"))
    value = json.loads(succeed("doctor", "new.yaml", "--json", cwd=mess))
    assert value["found"]["unreadable"] == value["found"]["duplicate"] == value["found"]["empty"] == 0


def test_images_of_a_stranger_are_not_shown(flipped: Flipped, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(flipped.run, run)
    shutil.rmtree(run / "checkpoints")  # it no longer says which files it was trained on
    done = cnnctl("doctor", run, "--output", "out", cwd=tmp_path)
    assert "images are not shown" in done.stderr
    assert "--with-images shows them" in done.stderr
    assert "data:image" not in (tmp_path / "out" / "index.html").read_text()
    done = cnnctl("doctor", run, "--output", "shown", "--with-images", cwd=tmp_path)
    assert "not shown" not in done.stderr
    assert "data:image" in (tmp_path / "shown" / "index.html").read_text()


def test_python_finds_the_same(mess: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(mess)
    found = api.doctor("mess.yaml", {"data.validation": 0}, output="python")
    assert {one.kind for one in found.findings} == {"conflict", "duplicate", "unreadable", "empty", "blurred", "dark"}
    assert found.page.is_file()
    assert "near-duplicates in one class" in str(found)
    assert repr(found).startswith("<Diagnosis: ")
    assert found.to_dict()["fixes"] == "python/fixes.csv"
    (mess / "wrong.csv").write_text("path,label,new_label,action\nx,y,,drop\n")
    with pytest.raises(DataError, match="line 2: the data has no image"):
        api.apply_fixes("mess.yaml", "wrong.csv", output="python")
    (mess / "none.csv").write_text("path,label,new_label,action\n")
    assert api.apply_fixes(api.load_config("mess.yaml"), "none.csv") == {"train": mess / "train.csv"}


def test_several_labels_an_image_are_refused() -> None:
    config = api.load_config(DIGITS)
    _refuse_several_labels(config)
    several = config.model_copy(update={"output": type("Output", (), {"multi_label": {}})()})
    with pytest.raises(ConfigError, match="one label each"):
        _refuse_several_labels(several)
