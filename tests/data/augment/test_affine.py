"""Steps that move pixels, each against the Keras layer of its name: fixed settings, then what is drawn."""

import math
from typing import Any

import cv2
import numpy as np
import pytest

from cnnctl.config.augmentations import (
    AffineStep,
    RandomCrop,
    RandomFlip,
    RandomRotation,
    RandomTranslation,
    RandomZoom,
)
from cnnctl.data.augment.affine import (
    Border,
    MatrixStep,
    Window,
    random_matrix,
    random_window,
    shear_matrix,
    warp,
    window_matrix,
)
from cnnctl.data.augment.canvas import Canvas
from cnnctl.data.augment.chain import random_generator
from cnnctl.data.decoder.images import opencv
from tests.data.augment.compare import (
    DRAWS,
    check_range,
    check_same_distribution,
    distance,
    keras_layer,
    transformed,
    vary,
)
from tests.images import photo

SIZES = [(48, 48), (40, 64), (63, 41)]
STEPS: dict[str, AffineStep] = {
    "rotation": RandomRotation(factor=(0.07, 0.07)),
    "rotation backwards": RandomRotation(factor=(-0.3, -0.3)),
    "a shift down and right": RandomTranslation(height_factor=(0.13, 0.13), width_factor=(0.21, 0.21)),
    "a shift up and left": RandomTranslation(height_factor=(-0.2, -0.2), width_factor=(-0.1, -0.1)),
    "zoom out": RandomZoom(height_factor=(0.3, 0.3), width_factor=None),
    "zoom in": RandomZoom(height_factor=(-0.3, -0.3), width_factor=None),
    "zoom along one side": RandomZoom(height_factor=(0.0, 0.0), width_factor=(-0.4, -0.4)),
}
"""Steps whose range is a single value, so that nothing is left to chance."""


def by_keras(step: AffineStep, image: np.ndarray) -> np.ndarray:
    layer = keras_layer(type(step).__name__, **step.model_dump())
    return np.asarray(layer(image[None].astype(np.float32), training=True))[0]


class TestAgainstKeras:
    """OpenCV and TensorFlow place their samples by different roundings: up to one pixel value on average."""

    @pytest.mark.parametrize("size", SIZES, ids=str)
    @pytest.mark.parametrize("name", STEPS)
    def test_bilinear_with_reflection(self, name: str, size: tuple[int, int]) -> None:
        image = photo(*size)
        found, expected = vary(image, STEPS[name]), by_keras(STEPS[name], image)
        assert distance(found, expected) < 1
        assert distance(found, expected, margin=0.3) < 0.6
        assert distance(found, image) > 3  # it did something

    @pytest.mark.parametrize("fill_mode", ["reflect", "constant", "nearest", "wrap"])
    @pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
    @pytest.mark.parametrize("name", STEPS)
    def test_what_lies_outside(self, name: str, interpolation: str, fill_mode: str) -> None:
        """With wrap Keras and OpenCV repeat the image by different periods: inside, they agree there too.

        Where the nearest of two pixels is as near as the other, each rounds as it likes.
        """
        image = photo(40, 64)
        changes = {"fill_mode": fill_mode, "fill_value": 77.0, "interpolation": interpolation}
        step = STEPS[name].model_copy(update=changes)
        found, expected = vary(image, step), by_keras(step, image)
        most = 1.0 if interpolation == "bilinear" else 2.5
        if fill_mode == "wrap":
            assert distance(found, expected, margin=0.35) < most
        else:
            assert distance(found, expected) < most
        if fill_mode == "constant" and name not in ("zoom in", "zoom along one side"):
            assert (found == 77).all(axis=2).any()

    @pytest.mark.parametrize("mode", ["horizontal", "vertical"])
    @pytest.mark.parametrize("size", [*SIZES, (1, 5), (1, 1)], ids=str)
    def test_flips_are_mirrors_to_the_pixel(self, mode: str, size: tuple[int, int]) -> None:
        image = photo(*size)
        mirrored = image[:, ::-1] if mode == "horizontal" else image[::-1]
        found = [vary(image, RandomFlip(mode=mode), number=number).tobytes() for number in range(30)]
        layer = keras_layer("RandomFlip", mode=mode)
        by_layer = {np.asarray(layer(image[None], training=True)).astype(np.uint8).tobytes() for _ in range(30)}
        assert set(found) == by_layer == {image.tobytes(), mirrored.tobytes()}

    @pytest.mark.skipif(cv2.__version__ < "5", reason="OpenCV 4 rounds to 1/1024 of a pixel first: some are moved by 3")
    @pytest.mark.parametrize("channels", [1, 3])
    def test_whole_pixels_with_a_mirror_around(self, channels: int) -> None:
        """2.5 pixels of 32, to the nearest: each of -2 to 2 as often along both sides, pixels as np.pad lays them."""
        image = photo(32, 32)[:, :, :channels]
        padded = np.pad(image, ((2, 2), (2, 2), (0, 0)), mode="reflect")
        places = {
            padded[2 - down : 34 - down, 2 - right : 34 - right].tobytes(): (down, right)
            for down in range(-2, 3)
            for right in range(-2, 3)
        }
        factor = (-2.5 / 32, 2.5 / 32)
        step = RandomTranslation(height_factor=factor, width_factor=factor, fill_mode="mirror", interpolation="nearest")
        found = [places[vary(image, step, number=number).tobytes()] for number in range(1000)]
        assert len(set(found)) == 25
        for side in zip(*found, strict=True):
            counts = np.bincount(np.array(side) + 2)
            assert ((counts > 150) & (counts < 250)).all()  # 200, give or take four deviations

    def test_flips_of_both_kinds(self) -> None:
        """Each with its own chance, one step or two: four mirrors; Keras' layer knows the first and the last."""
        image = photo(9, 12)
        mirrors = [image, image[:, ::-1], image[::-1], image[::-1, ::-1]]
        for steps in ([RandomFlip()], [RandomFlip(mode="vertical"), RandomFlip(mode="horizontal")]):
            found = {vary(image, *steps, number=number).tobytes() for number in range(40)}
            assert found == {mirror.tobytes() for mirror in mirrors}
        layer = keras_layer("RandomFlip")
        by_layer = {np.asarray(layer(image[None], training=True)).astype(np.uint8).tobytes() for _ in range(40)}
        assert by_layer == {mirrors[0].tobytes(), mirrors[3].tobytes()}

    @pytest.mark.parametrize("size", [(32, 32), (30, 41)], ids=str)
    @pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
    @pytest.mark.parametrize("shear", [(0.3, 0.1), (-0.5, -0.2), (0.0, 0.4)], ids=str)
    def test_shear(self, shear: tuple[float, float], interpolation: str, size: tuple[int, int]) -> None:
        image = photo(*size)
        layer = keras_layer("RandomShear", x_factor=0.0, y_factor=0.0, interpolation=interpolation)
        expected = transformed(layer, image, {"shear_factor": np.array([shear], np.float32)})
        found = warp(image, shear_matrix(*shear), Border("reflect", 0.0, interpolation), *size)
        assert distance(found, expected) < (1 if interpolation == "bilinear" else 2.5)
        assert distance(found, image) > 3

    @pytest.mark.parametrize("channels", [1, 3])
    @pytest.mark.parametrize("window", [(0, 0, 28, 28), (4, 3, 28, 29), (2, 1, 9, 30), (31, 5, 1, 1)], ids=str)
    def test_crop(self, window: tuple[int, int, int, int], channels: int) -> None:
        """Keras' slice, resized by OpenCV and by Keras. OpenCV 4 rounds places to a 32nd of a pixel, on this photo
        up to one pixel value, and then to a whole value: a half.
        """
        import keras

        image = photo(32, 32)[:, :, :channels]
        top, left, height, width = window
        layer = keras_layer("RandomCrop", height=height, width=width)
        sliced = transformed(layer, image, (top, left))
        assert np.array_equal(sliced, image[top : top + height, left : left + width])
        canvas = Canvas(image)
        canvas.crop(Window(*window))
        resized = opencv().resize(sliced, (32, 32), interpolation=opencv().INTER_LINEAR).reshape(image.shape)
        for expected in (resized, np.asarray(keras.ops.image.resize(sliced, (32, 32), antialias=False))):
            assert np.abs(canvas.result() - expected).max() <= 1.5
            assert distance(canvas.result(), expected) < 0.5

    @pytest.mark.parametrize("name", STEPS)
    def test_grey(self, name: str) -> None:
        """Each channel on its own: a grey image varies as the channels of a colour image do, and keeps its shape."""
        grey = photo(40, 64)[:, :, :1]
        found = vary(grey, STEPS[name])
        assert found.shape == grey.shape
        assert found.dtype == np.uint8
        assert np.array_equal(np.repeat(found, 3, axis=2), vary(np.repeat(grey, 3, axis=2), STEPS[name]))


class TestWindows:
    @pytest.mark.parametrize(
        ("size", "window"),
        [
            (size, window)
            for size in [(32, 32), (20, 30), (100, 30), (30, 100), (5, 1)]
            for window in [(32, 32), (50, 40), (28, 32), (20, 29), (5, 1), (100, 31)]
            if size[0] <= window[0] or size[1] <= window[1]
        ],
        ids=str,
    )
    def test_where_keras_has_no_choice(self, size: tuple[int, int], window: tuple[int, int]) -> None:
        """An image that is not larger along both sides: the same rows and columns as Keras, whatever the seed."""
        layer = keras_layer("RandomCrop", height=window[0], width=window[1])
        top, left = layer.get_random_transformation(np.zeros((1, *size, 1), np.float32))
        height, width = np.zeros(size)[top : top + window[0], left : left + window[1]].shape
        step = RandomCrop(height=window[0], width=window[1])
        for number in range(3):
            assert random_window(step, random_generator(0, 0, number, 0), *size) == (top, left, height, width)

    def test_any_position_is_as_likely(self) -> None:
        """The nine positions of 8x7 in 10x9, by our numbers and by Keras': a ninth each, give or take 0.035."""
        layer = keras_layer("RandomCrop", height=8, width=7)
        blank = np.zeros((1, 10, 9, 1), np.float32)
        by_layer = [tuple(map(int, layer.get_random_transformation(blank))) for _ in range(1000)]
        step = RandomCrop(height=8, width=7)
        windows = [random_window(step, random_generator(2, 0, number, 0), 10, 9) for number in range(1000)]
        assert {window[2:] for window in windows} == {(8, 7)}
        for found in (by_layer, [window[:2] for window in windows]):
            shares = {place: found.count(place) / 1000 for place in set(found)}
            assert set(shares) == {(top, left) for top in range(3) for left in range(3)}
            assert all(share == pytest.approx(1 / 9, abs=0.035) for share in shares.values())

    def test_pixels_around_the_window_stay_out(self) -> None:
        """A window of 7 in a white picture is black to its edges."""
        image = np.full((32, 32, 3), 255, np.uint8)
        image[5:12, 20:27] = 0
        canvas = Canvas(image)
        canvas.crop(Window(5, 20, 7, 7))
        assert not canvas.result().any()

    def test_corners_of_the_window_are_corners_of_the_image(self) -> None:
        """The outer edges of its corner pixels, half a pixel beyond their centres."""
        matrix = window_matrix(Window(3, 5, 10, 20), 32, 64)
        np.testing.assert_allclose(matrix @ (-0.5, -0.5, 1), (4.5, 2.5, 1))
        np.testing.assert_allclose(matrix @ (63.5, 31.5, 1), (24.5, 12.5, 1))


class TestRanges:
    """2,000 draws fill the range as Keras' do; the size of the images is such that height and width differ."""

    HEIGHT, WIDTH = 30, 50

    def matrices(self, step: MatrixStep) -> list[Any]:
        return [random_matrix(step, random_generator(1, 0, n, 0), self.HEIGHT, self.WIDTH) for n in range(DRAWS)]

    def by_keras(self, step: MatrixStep) -> Any:
        layer = keras_layer(type(step).__name__, **step.model_dump())
        return layer.get_random_transformation(np.zeros((DRAWS, self.HEIGHT, self.WIDTH, 1), np.float32))

    def test_rotation(self) -> None:
        step = RandomRotation(factor=(-0.1, 0.25))
        angles = [math.degrees(math.atan2(matrix[1, 0], matrix[0, 0])) for matrix in self.matrices(step)]
        check_range(angles, -36, 90)
        check_same_distribution(angles, self.by_keras(step)["angle"])

    def test_translation(self) -> None:
        step = RandomTranslation(height_factor=(-0.2, 0.1), width_factor=(0.0, 0.3))
        found = -np.array(self.matrices(step))[:, :2, 2]
        check_range(found[:, 1], -6, 3)
        check_range(found[:, 0], 0, 15)
        expected = np.asarray(self.by_keras(step)["translations"])
        for column in (0, 1):
            check_same_distribution(found[:, column], expected[:, column])
        assert abs(np.corrcoef(found.T)[0, 1]) < 0.1

    def test_zoom(self) -> None:
        step = RandomZoom(height_factor=(-0.2, 0.5))
        found = np.array(self.matrices(step))
        check_range(found[:, 1, 1], 0.8, 1.5)
        check_same_distribution(found[:, 1, 1], self.by_keras(step)["height_zoom"])
        assert np.array_equal(found[:, 0, 0], found[:, 1, 1])

    def test_zoom_along_each_side(self) -> None:
        step = RandomZoom(height_factor=(-0.2, 0.5), width_factor=(0.1, 0.3))
        found, expected = np.array(self.matrices(step)), self.by_keras(step)
        check_range(found[:, 0, 0], 1.1, 1.3)
        check_same_distribution(found[:, 0, 0], expected["width_zoom"])
        check_same_distribution(found[:, 1, 1], expected["height_zoom"])
        assert abs(np.corrcoef(found[:, 0, 0], found[:, 1, 1])[0, 1]) < 0.1

    @pytest.mark.parametrize(
        ("mode", "expected"),
        [
            ("horizontal", {(False, False): 0.5, (True, False): 0.5}),
            ("vertical", {(False, False): 0.5, (False, True): 0.5}),
            ("horizontal_and_vertical", {(a, b): 0.25 for a in (False, True) for b in (False, True)}),
        ],
    )
    def test_flips_are_halves(self, mode: str, expected: dict[tuple[bool, bool], float]) -> None:
        found = [
            (False, False) if matrix is None else (matrix[0, 0] < 0, matrix[1, 1] < 0)
            for matrix in self.matrices(RandomFlip(mode=mode))
        ]
        shares = {which: found.count(which) / DRAWS for which in set(found)}
        assert shares.keys() == expected.keys()
        for which, share in shares.items():
            assert share == pytest.approx(expected[which], abs=0.04)
