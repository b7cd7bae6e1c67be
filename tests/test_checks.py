"""Everything that is wrong with a config and its data is said at once, with its line and the right exit code."""

from pathlib import Path

import pytest

from cnnctl.checks import Findings, check
from cnnctl.config import load, parse_config
from cnnctl.errors import EXIT_CONFIG, EXIT_DATA, ConfigError, DataError
from cnnctl.network_source import summary_classes
from tests.inference.build import paint

GOOD_MODEL = "model:\n  - conv2d: {filters: 4, kernel_size: 3, activation: relu}\n  - flatten\n"


def nothing(done: int, total: int) -> None:
    """Nobody watches."""


def checked(folder: Path, text: str, *assignments: str, decode: bool = True) -> Findings:
    path = folder / "config.yaml"
    path.write_text(text)
    return check(parse_config(path, assignments), nothing, decode)


def told(findings: Findings) -> list[tuple[int, int | None, str, str]]:
    """(exit code, line, path, message) of each problem."""
    return [
        (problem.exit_code, problem.position.line if problem.position else None, problem.path, problem.message)
        for problem in findings.problems
    ]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Three classes of six images each."""
    for number in range(6):
        for name, shade in (("cat", 50), ("dog", 120), ("no", 200)):
            paint(tmp_path / "photos" / name / f"{number}.png", shade, number, 0)
    return tmp_path / "photos"


def test_a_good_config_has_no_problems_and_is_ready_to_train(photos, tmp_path):
    findings = checked(tmp_path, "data: {train: photos, image: {size: 8}}\n" + GOOD_MODEL)
    assert (findings.problems, findings.exit_code) == ([], 0)
    findings.raise_if_problems()
    assert findings.plan.layers[-1].output_shape == (3,)
    assert findings.catalog.classes == ("cat", "dog", "no")
    assert findings.prepared.pixels.shape == (18, 8, 8, 3)
    assert checked(tmp_path, "data: {train: photos}\n" + GOOD_MODEL, decode=False).prepared is None


HEAD = "data: {train: photos, image: {size: 8}}\n"
BACKBONE_MODEL = """\
model:
  - backbone: {application: MobileNetV2, weights: none}
  - global_average_pooling2d
"""
LARGE = "data: {train: photos, image: {size: 32}}\n"
CASES = {
    "fine-tuning without a backbone": (
        HEAD + GOOD_MODEL + "train: {fine_tune: {epochs: 2}}\n",
        [(2, 5, "train.fine_tune", "fine_tune is for a network that begins with a backbone whose weights")],
    ),
    "fine-tuning what is trained anyway": (
        LARGE + BACKBONE_MODEL.replace("none", "none, trainable: true") + "train: {fine_tune: {}}\n",
        [(2, 5, "train.fine_tune", "fine_tune is for a network that begins with a backbone whose weights")],
    ),
    "another scaling than that of the backbone": (
        "data:\n  train: photos\n  image:\n    size: 32\n    scaling: unit\n" + BACKBONE_MODEL,
        [(2, 5, "data.image.scaling", "MobileNetV2 scales pixels as it was trained")],
    ),
    "columns of labels without several labels": (
        "data:\n  train: photos\n  csv: {label: [cat, dog]}\n" + GOOD_MODEL,
        [(2, 3, "data.csv.label", "several columns of labels are for output: multi_label")],
    ),
    "one label of several": (
        HEAD + "output: multi_label\n" + GOOD_MODEL + "train: {loss: categorical_crossentropy}\n",
        [(2, 6, "train.loss", "categorical_crossentropy cannot be combined with output: multi_label")],
    ),
    "a backbone for grey images": (
        "data: {train: photos, image: {size: 32, channels: 1}}\n" + BACKBONE_MODEL,
        [(2, 1, "data.image.channels", "a backbone takes RGB images")],
    ),
    "weights of a backbone that are not there": (
        LARGE + BACKBONE_MODEL.replace("none", "old.h5"),
        [(2, 3, "model[0].backbone.weights", "there is no file {folder}/old.h5")],
    ),
    "vocabulary alone": (
        HEAD + GOOD_MODEL + "train: {epoch: 3}\n",
        [(2, 5, "train.epoch", "there is no such key")],
    ),
    "data alone": (
        "data: {train: fotos}\n" + GOOD_MODEL,
        [(3, 1, "data.train", "there is no folder or file {folder}/fotos")],
    ),
    "both": (
        "data: {train: fotos}\n" + GOOD_MODEL + "train: {epochs: 0}\n",
        [
            (2, 5, "train.epochs", "expected a number of at least 1"),
            (3, 1, "data.train", "there is no folder or file {folder}/fotos"),
        ],
    ),
    "every missing source": (
        "data:\n  train: fotos\n  validation: photos\n  test: nowhere.csv\n" + GOOD_MODEL,
        [
            (3, 2, "data.train", "there is no folder or file {folder}/fotos"),
            (3, 4, "data.test", "there is no folder or file {folder}/nowhere.csv"),
        ],
    ),
    "a fault of each source": (
        "data:\n  train: fotos\n  validation: photos/cat\n  test: nowhere.csv\n" + GOOD_MODEL,
        [
            (3, 2, "data.train", "there is no folder or file {folder}/fotos"),
            (3, 3, "data.validation", "expected a folder for each class in {folder}/photos/cat, but its 6 images"),
            (3, 4, "data.test", "there is no folder or file {folder}/nowhere.csv"),
        ],
    ),
    "an impossible layer and a wrong key": (
        HEAD
        + "model:\n  - max_pooling2d: {pool_size: 9}\n  - flatten\n  - flatten: {units: 1}\n"
        + "train: {batch_size: many}\n",
        [
            (2, 3, "model[0].max_pooling2d.pool_size", "the output would be empty"),
            (2, 5, "model[2].flatten.units", "there is no such key"),
            (2, 6, "train.batch_size", "expected a whole number"),
        ],
    ),
    "the output layer on an image": (
        HEAD + "model:\n  - conv2d: {filters: 4, kernel_size: 3, activation: relu}\n",
        [(2, 3, "output", "the output layer that is appended needs a vector, but its input still has rows")],
    ),
    "another number of classes": (
        "classes: 4\n" + HEAD + GOOD_MODEL,
        [(2, 1, "classes", "the data has 3 classes")],
    ),
    "sigmoid for three classes": (
        "output: sigmoid\n" + HEAD + GOOD_MODEL,
        [(2, 1, "output", "output: sigmoid is for exactly two classes, and the data has 3")],
    ),
    "weights of unknown classes": (
        HEAD + GOOD_MODEL + "train:\n  class_weight:\n    cat: 1\n    no: 2\n    dgo: 3\n    1e3: 1\n",
        [
            (2, 9, "train.class_weight.dgo", "the data has no such class"),
            (2, 10, "train.class_weight.1e3", "the data has no such class"),
        ],
    ),
    "parts that a batch cannot have as many images of": (
        "data: {train: photos, image: {size: 8}, validation: 0, keep: parts}\n"
        + GOOD_MODEL
        + "train: {batch_size: 100}\n",
        [
            (2, 1, "data.keep", "no process has all training images to judge the network by"),
            (2, 5, "train.batch_size", "with data.keep: parts every batch has as many images of each of 64 parts"),
        ],
    ),
    "nothing to monitor": (
        "data: {train: photos, validation: 0, image: {size: 8}}\n"
        + GOOD_MODEL
        + "train:\n  early_stopping:\n    monitor: val_accuracy\n",
        [(2, 7, "train.early_stopping.monitor", "there are no validation images to monitor")],
    ),
    "nothing to monitor by default": (
        "data: {train: photos, validation: 0, image: {size: 8}}\n" + GOOD_MODEL + "train: {early_stopping: {}}\n",
        [(2, 5, "train.early_stopping.monitor", "there are no validation images to monitor")],
    ),
    "no plateau to watch": (
        "data: {train: photos, validation: 0, image: {size: 8}}\n"
        + GOOD_MODEL
        + "train: {schedule: reduce_on_plateau}\n",
        [(2, 5, "train.schedule.reduce_on_plateau.monitor", "there are no validation images to monitor")],
    ),
    "a loss for one unit": (
        HEAD + GOOD_MODEL + "train: {loss: binary_crossentropy}\n",
        [(2, 5, "train.loss", "binary_crossentropy cannot be combined with output: softmax")],
    ),
    "a window larger than the image": (
        HEAD + GOOD_MODEL + "augment:\n  - random_flip\n  - random_crop: {height: 8, width: 9}\n",
        [(2, 7, "augment[1]", "the window is larger than the image of 8x8")],
    ),
    "weights that are not there": (
        HEAD + GOOD_MODEL + "train: {initial_weights: runs/other/1}\n",
        [(2, 5, "train.initial_weights", "there is no run at {folder}/runs/other/1")],
    ),
    "a weights file that is not there": (
        HEAD + GOOD_MODEL + "train: {initial_weights: old.keras}\n",
        [(2, 5, "train.initial_weights", "there is no file {folder}/old.keras")],
    ),
    "a data section that is wrong hides the shapes": (
        "data: {train: photos, image: {size: big}}\nmodel:\n  - max_pooling2d: {pool_size: 999}\n  - flatten\n",
        [(2, 1, "data.image", "expected size to be a whole number from 1 to 8192")],
    ),
}


def test_augmentation_acts_in_fine_tuning_alone(photos, tmp_path):
    text = LARGE + BACKBONE_MODEL + "augment: [random_flip]\n"
    (warning,) = checked(tmp_path, text).warnings
    assert warning.message.startswith("augment has no effect")
    assert warning.position.line == 5
    for more in ("train: {fine_tune: {}}\n", ""):
        trained = text if more else text.replace("none}", "none, trainable: true}")
        assert checked(tmp_path, trained + more).warnings == []


@pytest.mark.parametrize(("text", "expected"), CASES.values(), ids=CASES)
def test_every_problem_at_once(text, expected, photos, tmp_path):
    findings = checked(tmp_path, text)
    found = told(findings)
    assert [(code, line) for code, line, _, _ in found] == [(code, line) for code, line, _, _ in expected]
    for (_, _, path, message), (_, _, wanted_path, wanted) in zip(found, expected, strict=True):
        assert path == wanted_path
        assert message.startswith(wanted.format(folder=tmp_path))
    codes = {code for code, *_ in expected}
    assert findings.exit_code == (EXIT_CONFIG if EXIT_CONFIG in codes else EXIT_DATA)
    with pytest.raises(ConfigError) as caught:
        findings.raise_if_problems()
    assert caught.value.exit_code == findings.exit_code
    assert str(caught.value).count("\n\n") == len(expected) - 1


def test_a_hint_names_the_class_that_was_meant(photos, tmp_path):
    (problem,) = checked(tmp_path, HEAD + GOOD_MODEL + "train: {class_weight: {dgo: 3}}\n").problems
    assert problem.received == "dgo"
    assert "dog" in problem.hint


def test_monitoring_the_training_loss_needs_no_validation(photos, tmp_path):
    text = "data: {train: photos, validation: 0}\n" + GOOD_MODEL + "train: {early_stopping: {monitor: loss}}\n"
    assert checked(tmp_path, text, decode=False).problems == []


BAD = [("broken.png", b"\x89PNG\r\n\x1a\n", "cut off"), ("empty.jpg", b"", "the file is empty"),
       ("text.jpg", b"hello", "it is a text file")]  # fmt: skip


@pytest.fixture
def spoilt(photos):
    """Three of then 21 images cannot be decoded."""
    for name, content, _ in BAD:
        (photos / "cat" / name).write_bytes(content)
    return photos


def test_bad_images_are_listed_with_their_reasons(spoilt, tmp_path):
    (problem,) = checked(tmp_path, HEAD + GOOD_MODEL).problems
    assert problem.exit_code == EXIT_DATA
    first, *listed = problem.message.split("\n  ")
    assert first == "3 of 21 images cannot be decoded:"
    assert sorted(Path(line.partition(": ")[0]).name for line in listed) == [name for name, _, _ in BAD]
    for name, _, reason in BAD:
        assert any(name in line and reason in line for line in listed)
    assert problem.hint == "remove or convert them, or skip them with data.on_bad_image: skip"


def test_bad_images_and_a_wrong_config_are_told_together(spoilt, tmp_path):
    findings = checked(tmp_path, HEAD + GOOD_MODEL + "train: {epochs: 0}\n")
    assert [problem.exit_code for problem in findings.problems] == [EXIT_CONFIG, EXIT_DATA]
    assert findings.exit_code == EXIT_CONFIG


def test_more_bad_images_than_may_be_skipped(spoilt, tmp_path):
    (problem,) = checked(tmp_path, HEAD + GOOD_MODEL, "data.on_bad_image=skip").problems
    assert problem.message.startswith("3 of 21 images cannot be decoded, more than data.max_bad_images = 0.01:\n")
    assert problem.hint == "remove or convert them, or raise data.max_bad_images"


def test_skipped_images_leave_the_catalog_and_a_warning(spoilt, tmp_path):
    findings = checked(tmp_path, HEAD + GOOD_MODEL, "data.on_bad_image=skip", "data.max_bad_images=0.2")
    assert findings.problems == []
    assert findings.warnings[-1].message.startswith("3 images cannot be decoded and are skipped:\n")
    prepared = findings.prepared
    assert len(prepared.paths) == len(prepared.rows) == 18
    assert len(prepared.pixels) == 21
    names = [Path(path).name for path in prepared.paths]
    assert not {name for name, _, _ in BAD} & set(names)
    for row, path in zip(prepared.rows, prepared.paths, strict=True):  # the rows still find the pixels
        assert prepared.pixels[row].max() == {"cat": 50, "dog": 120, "no": 200}[Path(path).parent.name]


def test_a_class_that_is_skipped_away_is_named(photos, tmp_path):
    for path in (photos / "no").iterdir():
        path.write_text("no image")
    findings = checked(tmp_path, HEAD + GOOD_MODEL, "data.on_bad_image=skip", "data.max_bad_images=1")
    assert [(code, message) for code, _, _, message in told(findings)] == [
        (EXIT_DATA, "no training image is left for the class no")
    ]


def test_more_than_twenty_bad_images_are_counted(photos, tmp_path):
    for number in range(25):
        (photos / "dog" / f"bad{number:02}.jpg").write_bytes(b"")
    (problem,) = checked(tmp_path, HEAD + GOOD_MODEL).problems
    lines = problem.message.split("\n  ")
    assert len(lines) == 22
    assert lines[-1] == "and 5 more"


def test_warnings_stand_beside_problems_and_have_a_place(photos, tmp_path):
    text = HEAD + "model:\n  - conv2d: {filters: 4, kernel_size: 3}\n  - flatten\ntrain: {class_weight: {wolf: 1}}\n"
    findings = checked(tmp_path, text)
    assert findings.exit_code == EXIT_CONFIG
    warning = next(warning for warning in findings.warnings if "activation" in warning.message)
    assert (warning.path, warning.position.line) == ("model[0]", 3)


COUNTS = [
    ("output: sigmoid\n", 2),
    ("classes: 7\n", 7),
    ("", 3),
]


@pytest.mark.parametrize(("line", "count"), COUNTS)
def test_summary_counts_classes_without_reading_images(line, count, photos, tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(line + HEAD + GOOD_MODEL)
    assert summary_classes(load(path)) == count


def test_summary_without_data_says_what_to_add(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("data: {train: fotos}\n" + GOOD_MODEL)
    with pytest.raises(DataError) as caught:
        summary_classes(load(path))
    assert "`classes: 10`" in caught.value.hint


FAULTY = {
    "flat": "expected a folder for each class",
    "other": "{folder}/other has the class zebra, which the training images do not have",
    "hollow": "no image was found in {folder}/hollow",
    "semicolons.csv": "{folder}/semicolons.csv has no column path; its columns are file, label",
    "gone.csv": "{folder}/gone.csv: 1 of 1 images are not there",
    "bare.csv": "the first line of {folder}/bare.csv is an image",
}


@pytest.mark.parametrize("key", ["validation", "test"])
@pytest.mark.parametrize("source", FAULTY)
def test_the_key_whose_data_is_wrong_is_blamed(key, source, photos, tmp_path):
    paint(tmp_path / "flat" / "1.png", 1, 2, 3)
    paint(tmp_path / "other" / "zebra" / "1.png", 1, 2, 3)
    (tmp_path / "hollow" / "cat").mkdir(parents=True)
    (tmp_path / "semicolons.csv").write_text("file;label\nx.png;cat\n")
    (tmp_path / "gone.csv").write_text("path,label\nx.png,cat\n")
    (tmp_path / "bare.csv").write_text("flat/1.png,cat\n")
    (code, line, path, message) = told(
        checked(tmp_path, f"data:\n  train: photos\n  image: {{size: 8}}\n  {key}: {source}\n" + GOOD_MODEL)
    )[0]
    assert (code, line, path) == (EXIT_DATA, 4, f"data.{key}")
    assert message.startswith(FAULTY[source].format(folder=tmp_path))


def test_faults_of_two_splits_and_of_the_columns(photos, tmp_path):
    rows = "".join(f"photos/{name}/{number}.png,{name}\n" for name in ("cat", "dog") for number in range(6))
    (tmp_path / "a.csv").write_text("file,label\n" + rows)
    text = "data:\n  train: a.csv\n  test: b.csv\n  image: {size: 8}\n  csv:\n    path: file\n    group: who\n"
    (tmp_path / "b.csv").write_text("path,label\n" + rows)
    assert [(line, path) for _, line, path, _ in told(checked(tmp_path, text + GOOD_MODEL))] == [
        (3, "data.test"),
        (7, "data.csv.group"),
    ]
    (tmp_path / "b.csv").write_text("file,label\nphotos/cat/0.png,cat\n")  # a test set needs no groups
    assert [path for _, _, path, _ in told(checked(tmp_path, text + GOOD_MODEL))] == ["data.csv.group"]
    text = text.replace("group: who", "folder: nowhere")
    assert told(checked(tmp_path, text + GOOD_MODEL)) == [
        (EXIT_DATA, 7, "data.csv.folder", f"there is no folder {tmp_path}/nowhere")
    ]


def test_weights_find_their_class_in_either_form_of_unicode(photos, tmp_path):
    (photos / "no").rename(photos / "the\u0301")
    for name in ("th\u00e9", "the\u0301"):
        assert checked(tmp_path, HEAD + GOOD_MODEL + f"train: {{class_weight: {{{name}: 3}}}}\n").problems == []
    twice = checked(tmp_path, HEAD + GOOD_MODEL + "train: {class_weight: {th\u00e9: 3, the\u0301: 2}}\n")
    assert [problem.message for problem in twice.problems] == [
        "expected one weight for each class, not two for names that look alike"
    ]


def test_what_a_table_is_taken_to_mean_is_said(photos, tmp_path):
    rows = [f"photos/{name}/{n}.png,{name}{' ' * (n == 3)},{n or ''}\n" for name in ("cat", "dog") for n in range(6)]
    (tmp_path / "a.csv").write_text("path,label,who\n" + "".join(rows))
    text = "data: {train: a.csv, csv: {group: who}, image: {size: 8}}\n" + GOOD_MODEL
    findings = checked(tmp_path, text)
    assert findings.problems == []
    assert findings.catalog.classes == ("cat", "dog")
    first, second = (warning.message for warning in findings.warnings if "a.csv" in warning.message)
    assert "blanks around 2 value(s) of the column label are left out" in first
    assert "2 row(s) have nothing in the column who (line 2, 8)" in second
    path = tmp_path / "config.yaml"
    strict = check(parse_config(path), nothing, strict=True)
    assert [problem.message for problem in strict.problems][:2] == [first, second]


def test_a_network_beyond_its_budget_is_refused_by_line(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(
        "classes: 10\ndata: {train: digits, image: {size: 8, channels: 1}}\nmodel: [flatten]\n"
        "budget:\n  parameters: 100\n  multiply_adds: 640\n  latency_ms: 0.001\ntest_time: {flip: true}\n"
    )
    found = check(parse_config(path), nothing, decode=False)
    assert [(one.path, one.position.line) for one in found.problems if one.path.startswith("budget")] == [
        ("budget.parameters", 5),
        ("budget.multiply_adds", 6),
    ]
    (first, second) = (one for one in found.problems if one.path.startswith("budget"))
    assert first.message == "the network is beyond the budget: 650 of 100 parameters"
    assert first.hint == "dense has 100.0% of them; make it smaller"
    assert second.message == "the network is beyond the budget: 1,280 of 640 multiply-adds"
    assert first.exit_code == EXIT_CONFIG == 2
