"""Labels as numbers."""

import pytest

from cnnctl.data.labels import label_numbers
from cnnctl.errors import DataError


def test_labels_become_numbers_by_name():
    classes = ("no", "1e3", "007", "NA")
    assert label_numbers(["007", "no", "NA", "1e3"], classes, "x").tolist() == [2, 0, 3, 1]
    many = [f"c{number}" for number in range(12)]
    with pytest.raises(DataError) as caught:
        label_numbers(["c1", "7"], many, "x")
    assert caught.value.message == "x has the class 7, which the run was not trained on"
    assert caught.value.hint == "it knows " + ", ".join(many[:10]) + ", ..."
