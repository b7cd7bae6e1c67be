"""Random numbers of many images at once are those of each image alone."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cnnctl.data.augment.chain import KEY, random_generator
from cnnctl.data.augment.draws import first_draws

WORDS = st.integers(0, 2**64 - 1)


@given(seed=WORDS, epoch=st.integers(0, 10_000), step=st.integers(0, 50), images=st.lists(st.integers(0, 2**62)))
def test_they_are_what_numpy_draws(seed: int, epoch: int, step: int, images: list[int]) -> None:
    drawn = first_draws((seed, KEY), epoch, np.array(images, np.int64), step)
    assert drawn.shape == (len(images), 4)
    for numbers, image in zip(drawn, images, strict=True):
        assert np.array_equal(numbers, random_generator(seed, epoch, image, step).random(4))
