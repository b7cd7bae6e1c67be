"""Labels as numbers."""

import pytest

from cnnctl.data.labels import label_numbers, look_alikes
from cnnctl.errors import DataError


def test_labels_become_numbers_by_name():
    classes = ("no", "1e3", "007", "NA")
    assert label_numbers(["007", "no", "NA", "1e3"], classes, "x").tolist() == [2, 0, 3, 1]
    many = [f"c{number}" for number in range(12)]
    with pytest.raises(DataError) as caught:
        label_numbers(["c1", "7"], many, "x")
    assert caught.value.message == "x has the class 7, which the run was not trained on"
    assert caught.value.hint == "it knows " + ", ".join(many[:10]) + ", ..."


def test_unicode_is_compared_in_one_form():
    """A run of an older version may have both forms, and keeps them apart."""
    assert label_numbers(["th\u00e9", "the\u0301", "cat "], ("cat", "the\u0301"), "x").tolist() == [1, 1, 0]
    assert label_numbers(["the\u0301", "th\u00e9"], ("th\u00e9", "the\u0301"), "x").tolist() == [1, 0]


@pytest.mark.parametrize(
    ("name", "known", "said"),
    [
        ("cat\u200b", "cat", "ZERO WIDTH SPACE in place of nothing"),
        ("c\u0430t", "cat", "CYRILLIC SMALL LETTER A in place of LATIN SMALL LETTER A"),
        ("black  cat", "black cat", "SPACE in place of nothing"),
        ("Dog", "dog", None),
    ],
)
def test_what_differs_is_shown(name, known, said):
    with pytest.raises(DataError) as caught:
        label_numbers([name], (known, "owl"), "x")
    assert caught.value.hint.endswith(f"it knows {known}, owl")
    assert (said in caught.value.hint) if said else caught.value.hint.startswith("it knows")


def test_classes_that_look_alike_are_named():
    assert list(look_alikes(["cat", "Cat", "dog"], "x")) == []
    (notice,) = look_alikes(["cat", "cat\u200b", "dog"], "photos")
    assert notice.message == (
        "two classes in photos look alike, cat and cat\u200b; they differ: nothing in place of ZERO WIDTH SPACE"
    )
