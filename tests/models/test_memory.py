"""Out of memory is named with the batch size, and with the largest one that would fit."""

import pytest

from cnnctl.architecture import make_plan
from cnnctl.architecture.cost import training_bytes
from cnnctl.errors import EXIT_ENVIRONMENT
from cnnctl.models.memory import is_out_of_memory, largest_batch, memory_error, total_memory
from tests.config.build import layers
from tests.training.build import settings

GB = 10**9


@pytest.fixture(scope="module")
def plan():
    return make_plan(layers("conv2d: {filters: 64, kernel_size: 3}", "flatten"), (256, 256, 3), 3)


@pytest.mark.parametrize("extra", ["", ", ema: 0.99", ", lookahead: {every: 5}", ", optimizer: {sgd: {momentum: 0.9}}"])
@pytest.mark.parametrize("size", [2, 4])
def test_the_largest_batch_fits_and_one_more_does_not(plan, extra, size):
    train = settings(f"batch_size: 4{extra}").train

    def needed(batch):
        return training_bytes(plan, batch, train.optimizer, "ema" in extra or "lookahead" in extra, size)

    for available in (needed(1), needed(1) + 1, needed(7) - 1, 8 * GB):
        fitting = largest_batch(plan, train, available, size)
        assert needed(fitting) <= available < needed(fitting + 1)
    assert largest_batch(plan, train, needed(1) - 1, size) == 0
    assert largest_batch(plan, train, 0, size) == 0


def test_what_is_said(plan):
    train = settings("batch_size: 4096").train
    error = memory_error(plan, train, 8 * GB, 4)
    fitting = largest_batch(plan, train, 0.9 * 8 * GB)
    assert 1 < fitting < 4096
    assert error.message.startswith("out of memory with train.batch_size: 4096: a step needs about ")
    assert error.message.endswith(" GB, and there are 8.0 GB in all")
    assert error.hint == f"the largest batch that fits: train.batch_size: {fitting}"
    assert error.exit_code == EXIT_ENVIRONMENT
    assert "not even one image" in memory_error(plan, train, 10**6, 4).hint
    assert memory_error(plan, train, None, 4).hint == "try train.batch_size: 2048"
    assert "end other programs" in memory_error(plan, settings("batch_size: 2").train, 8 * GB, 4).hint


def test_what_means_it(keras):
    import tensorflow as tf

    with pytest.raises(tf.errors.ResourceExhaustedError) as caught:
        tf.zeros([2**44])
    assert is_out_of_memory(caught.value)
    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(RuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 8 bytes"))
    assert not is_out_of_memory(ValueError("a shape"))


def test_the_memory_of_this_machine():
    assert GB // 4 < total_memory("cpu") < 10**15
