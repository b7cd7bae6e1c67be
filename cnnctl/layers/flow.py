"""What flows between layers, and the error of a layer that cannot take it."""

from dataclasses import dataclass

from cnnctl.layers.notation import Shape


class ImpossibleLayerError(Exception):
    """Raised where a layer does not fit its input: message, the arithmetic, the mend, and the key to blame."""

    def __init__(self, message: str, received: str, hint: str, key: str | None = None) -> None:
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
