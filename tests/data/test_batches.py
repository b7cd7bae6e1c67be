"""The order of an epoch: a permutation, a pure function of (seed, epoch)."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnctl.data.batches import count_batches, epoch_order

seeds = st.integers(0, 2**31 - 1)


@settings(deadline=None, derandomize=True)
@given(count=st.integers(0, 500), seed=seeds, epoch=st.integers(0, 10_000))
def test_every_image_once(count: int, seed: int, epoch: int) -> None:
    order = epoch_order(count, seed, epoch)
    assert order.dtype == np.int64
    assert sorted(order) == list(range(count))
    assert np.array_equal(order, epoch_order(count, seed, epoch))


def test_seed_and_epoch_decide() -> None:
    orders = {epoch_order(100, seed, epoch).tobytes() for seed in range(10) for epoch in range(10)}
    assert len(orders) == 100


def test_every_place_is_as_likely() -> None:
    """The first of 8 images over 4,000 epochs: each about 500 times."""
    firsts = np.bincount([epoch_order(8, 0, epoch)[0] for epoch in range(4000)], minlength=8)
    assert abs(firsts - 500).max() < 100


@settings(deadline=None, derandomize=True)
@given(count=st.integers(0, 10_000), batch_size=st.integers(1, 600))
def test_batches_cover_all(count: int, batch_size: int) -> None:
    assert (count_batches(count, batch_size) - 1) * batch_size < count or count == 0
    assert count_batches(count, batch_size) * batch_size >= count
