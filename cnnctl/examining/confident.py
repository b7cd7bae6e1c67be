"""Confident learning: which labels probabilities contradict (Northcutt, Jiang and Chuang 2021,
https://arxiv.org/abs/1911.00068).

A class has the mean probability that images with its label have for it. An image belongs to a class with confidence
where its probability for it is above that mean; of several such classes, to the likeliest. It may be mislabelled where
that is another class than its label.
"""

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.int64]
Probabilities = NDArray[np.float32]


def confident_classes(probabilities: Probabilities, labels: Labels) -> Labels:
    """The class that each image belongs to with confidence; -1 where there is none.

    `probabilities` are float32 (images, classes), of models that have not seen the labels of the images; `labels` are
    int64 (images,), class numbers. A class that no image has as its label is none that an image belongs to.
    """
    means = _means(probabilities, labels)
    reached = probabilities >= np.where(np.isnan(means), np.inf, means)
    likeliest = np.where(reached, probabilities, -1).argmax(axis=1)
    return np.where(reached.any(axis=1), likeliest, -1).astype(np.int64)


def label_shares(probabilities: Probabilities, labels: Labels) -> NDArray[np.float64]:
    """The probability of each image's label as a share of its mean over the images with that label; at most 1."""
    own = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return np.minimum(own / np.maximum(_means(probabilities, labels)[labels], 1e-12), 1)


def _means(probabilities: Probabilities, labels: Labels) -> NDArray[np.float64]:
    """The mean probability of each class over the images with its label; NaN for a class that is no image's label."""
    count = probabilities.shape[1]
    own = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    images = np.bincount(labels, minlength=count)
    means = np.bincount(labels, weights=own, minlength=count) / np.maximum(images, 1)
    return np.asarray(np.where(images > 0, means, np.nan), np.float64)
