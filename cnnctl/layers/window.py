"""What flows between layers, and the windows that slide over its rows and columns: kernels, and those of pooling."""

from dataclasses import dataclass, replace

from cnnctl.layers import arithmetic
from cnnctl.layers.notation import NO_SIDES, Shape, format_padding, format_pair, format_shape, substitute
from cnnctl.settings import Sides

Span = tuple[int, int]
"""The first row (or column) and the one after the last."""


class ImpossibleLayerError(Exception):
    """Raised where a layer does not fit its input: message, the arithmetic, the mend, and the key to blame.

    The key is one of the layer, or the path of one elsewhere in the config.
    """

    def __init__(self, message: str, received: str, hint: str, key: str | tuple[str, ...] | None = None) -> None:
        super().__init__(message)
        self.message, self.received, self.hint, self.key = message, received, hint, key


@dataclass(frozen=True)
class State:
    """What flows between layers: the shape, and the receptive field and jump of each axis (None: the whole image)."""

    shape: Shape
    field: tuple[int, int] | None = (1, 1)
    jump: tuple[int, int] = (1, 1)


@dataclass(frozen=True)
class Step:
    """What a layer makes of a state.

    Attributes:
        state: What flows out of it.
        trainable: Weights that training changes.
        fixed: Weights that it does not (moving averages).
        multiply_adds: Multiplications with addition for one image; convolutions and dense layers alone count.
        lost: (rows, columns) of its input that no window reaches.
    """

    state: State
    trainable: int = 0
    fixed: int = 0
    multiply_adds: int = 0
    lost: tuple[int, int] = (0, 0)

    def learning(self, trainable: bool) -> "Step":
        """Itself, all of its weights fixed unless training changes the layer."""
        return self if trainable else replace(self, trainable=0, fixed=self.trainable + self.fixed)


@dataclass(frozen=True)
class Window:
    """A window that slides: `size` and `strides` are (height, width) in pixels, `dilation` is between its taps.

    `padding` is `valid`, `same`, or explicit zeros; `key` is the setting that says its size, `layer` what people call
    the layer that it belongs to.
    """

    size: tuple[int, int]
    strides: tuple[int, int]
    padding: str | Sides
    dilation: tuple[int, int]
    key: str
    layer: str

    @property
    def zeros(self) -> Sides:
        """The explicit zeros around its input."""
        return NO_SIDES if isinstance(self.padding, str) else self.padding

    def words(self) -> list[str]:
        """All but its size in a few words: `stride 2`, `padding same`, `dilation 3`."""
        padding = [] if self.padding == "valid" else [format_padding(self.padding)]
        dilation = [f"dilation {format_pair(self.dilation)}"] if max(self.dilation) > 1 else []
        return [f"stride {format_pair(self.strides)}", *padding, *dilation]

    def slide(self, state: State) -> tuple[State, tuple[int, int]]:
        """What it makes of an image, with the same channels, and the rows and columns that it never reaches.

        Raises:
            ImpossibleLayerError: it does not fit into the image.
        """
        shape = tuple(self._output_size(axis, state.shape[axis]) for axis in (0, 1))
        if min(shape) < 1:
            raise self._empty(state, axis=0 if shape[0] < 1 else 1)
        lost = (self._lost(0, state.shape[0]), self._lost(1, state.shape[1]))
        if state.field is None:
            return State((*shape, state.shape[2]), None, state.jump), lost
        grown = zip(state.field, state.jump, self.size, self.strides, self.dilation, strict=True)
        (field, jump), (wide_field, wide_jump) = (arithmetic.grow_receptive_field(*axis) for axis in grown)
        return State((*shape, state.shape[2]), (field, wide_field), (jump, wide_jump)), lost

    def formulas(self, shape: tuple[int, ...]) -> list[str]:
        """How the rows and columns of its output come about, a line each."""
        lines = []
        for axis, name in enumerate(("height", "width")):
            size, stride = shape[axis], self.strides[axis]
            same = f"ceil({size} / {stride}) = {arithmetic.same_size(size, stride)}"
            lines.append(f"{name}: {same if self.padding == 'same' else substitute(size, *self._numbers(axis))}")
        return lines

    def before(self, axis: int, span: Span, size: int) -> Span:
        """What it needs of an input of `size` along an axis, padding included, for a span of its output."""
        taps, stride = arithmetic.effective_size(self.size[axis], self.dilation[axis]), self.strides[axis]
        zeros = self._sides(axis, size)[0]
        return span[0] * stride - zeros, (span[1] - 1) * stride - zeros + taps

    def sides(self, shape: Shape) -> Sides:
        """The rows and columns of padding around an input of a shape: ((top, bottom), (left, right))."""
        return self._sides(0, shape[0]), self._sides(1, shape[1])

    def _sides(self, axis: int, size: int) -> tuple[int, int]:
        if self.padding != "same":
            return self.zeros[axis]
        taps = arithmetic.effective_size(self.size[axis], self.dilation[axis])
        total = arithmetic.same_padding(size, taps, self.strides[axis])
        return total // 2, total - total // 2

    def _output_size(self, axis: int, size: int) -> int:
        if self.padding == "same":
            return arithmetic.same_size(size, self.strides[axis])
        return arithmetic.output_size(size, *self._numbers(axis))

    def _lost(self, axis: int, size: int) -> int:
        """Rows of the input, not of the zeros after it, that no window reaches."""
        if self.padding == "same":
            return 0
        return max(0, arithmetic.unused_pixels(size, *self._numbers(axis)) - self.zeros[axis][1])

    def _numbers(self, axis: int) -> tuple[int, int, int, int]:
        """The kernel, stride, zeros of both sides and dilation along an axis."""
        return self.size[axis], self.strides[axis], sum(self.zeros[axis]), self.dilation[axis]

    def _empty(self, state: State, axis: int) -> ImpossibleLayerError:
        (height, width), (down, right) = self.size, self.strides
        return ImpossibleLayerError(
            "the output would be empty",
            f"input {format_shape(state.shape[:2])}, {self.key} {height}x{width}, strides {down}x{right}, "
            f"{format_padding(self.padding)}: {substitute(state.shape[axis], *self._numbers(axis))}",
            f"remove this {self.layer}, use padding: same, or make the images at least {{least}}",
            self.key,
        )
