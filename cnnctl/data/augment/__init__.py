"""Random variations of uint8 images by OpenCV, each a pure function of (seed, epoch, image).

`chain` holds the order of the steps and the random numbers, `canvas` joins affine steps into one warp, `affine` and
`pixels` are what a step does with fixed settings, `rand_augment` and `mixing` are the steps that consist of several.
`moves` has the numbers of flips and whole shifts for a device that has the images; `draws` are its random numbers.
"""

from cnnctl.data.augment.chain import Varied, augmenter, mixes

__all__ = ["Varied", "augmenter", "mixes"]
