"""What a run keeps of its training images: which of them, and that they are seen as the saved network sees them."""

import numpy as np
import pytest

from cnnctl.data.prepare import Prepared
from cnnctl.evaluation.foreign import images_for, learn_familiar
from cnnctl.training.network import output_inputs
from tests.training.build import SHAPE, network, pixels


def test_the_head_alone_gives_the_features_of_the_whole_network(keras):
    """Of a network whose first layers are frozen, what they make of the images is at hand; both share their layers."""
    items = ("conv2d: {filters: 2, kernel_size: 3}", "flatten", "dropout: {rate: 0.5}")
    model, _ = network(*items, "dense: {units: 4, activation: relu}")
    scaling, convolution, *others = model.layers
    head, images = keras.Sequential([keras.layers.Input((3, 2, 2)), *others]), pixels(6)
    stem = np.asarray(convolution(scaling(images)))
    features = keras.Model(model.inputs, model.layers[-1].input).predict_on_batch(images)
    np.testing.assert_allclose(output_inputs(head, stem), features, atol=1e-5)


@pytest.mark.parametrize(("multiply_adds", "images"), [(0, 4000), (10**7, 4000), (10**8, 2000), (10**12, 200)])
def test_of_a_large_network_fewer_images_are_looked_at(multiply_adds, images):
    assert images_for(multiply_adds) == images


def test_the_images_are_of_every_class_and_of_the_training_alone():
    """Of 900 images of 8 classes in their order a third is for validation; 200 are looked at."""
    labels = np.sort(np.arange(900) % 8)
    splits = np.where(np.arange(900) % 3 == 0, "validation", "train").astype(object)
    images = pixels(900)
    digests = np.zeros((900, 16), np.uint8)
    prepared = Prepared(tuple("abcdefgh"), (), labels, splits, np.arange(900)[::-1], images, digests)
    seen: list[np.ndarray] = []

    def features(batch):
        seen.append(batch)
        return batch.reshape(len(batch), -1).astype(np.float32)

    found = learn_familiar(prepared, images, features, 10**12)
    assert found.points.shape == (200, np.prod(SHAPE))
    row_of = {image.tobytes(): row for row, image in enumerate(images)}
    places = [899 - row_of[image.tobytes()] for image in np.concatenate(seen)]
    assert {splits[place] for place in places} == {"train"}
    assert np.bincount(labels[places]).tolist() == [25] * 8
