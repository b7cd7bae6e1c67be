"""What a run can be exported to, and what that takes. Imports nothing heavy."""

from dataclasses import dataclass

from cnnctl.errors import MachineError, UsageError, extras_of_light, how_to_install
from cnnctl.system.packages import is_installed

FLOAT16, INT8 = "float16", "int8"

OPENVINO_MODEL = "model.xml"
"""The file of an OpenVINO folder that its runtime opens; the weights lie beside it."""

MAX_ACCURACY_DROP = 1.0
"""Percentage points of accuracy that int8 may cost; it may change twice as many answers."""


@dataclass(frozen=True)
class Tool:
    """A package that makes or runs a format, and that cnnctl does without otherwise; the extra that installs it."""

    module: str
    title: str
    extra: str | None = None

    def mend(self) -> str:
        """The command that installs it."""
        if self.extra is None and extras_of_light() is None:
            return f"pip install {self.module}"
        return how_to_install(self.extra)


@dataclass(frozen=True)
class Format:
    """A kind of file: its name on the command line, what its own tools offer, and what makes and runs it.

    Where several files belong together they lie in a folder, and the `ending` has no dot.
    """

    name: str
    title: str
    ending: str
    quantizations: tuple[str, ...]
    needs: tuple[Tool, ...]

    @property
    def is_folder(self) -> bool:
        return not self.ending.startswith(".")


_TENSORFLOW = Tool("tensorflow", "TensorFlow")
_LITERT = Tool("ai_edge_litert", "ai-edge-litert", "litert")
_OPENVINO = Tool("openvino", "its package openvino", "openvino")

ONNX = Format("onnx", "ONNX", ".onnx", (FLOAT16, INT8), ())
LITERT = Format("litert", "LiteRT", ".tflite", (FLOAT16, INT8), (_TENSORFLOW, _LITERT))
OPENVINO = Format("openvino", "OpenVINO", "-openvino", (FLOAT16, INT8), (_OPENVINO,))
SAVEDMODEL = Format("savedmodel", "SavedModel", "-savedmodel", (), (_TENSORFLOW,))

FORMATS = (ONNX, LITERT, OPENVINO, SAVEDMODEL)


def choose_format(name: str, quantization: str | None) -> Format:
    """The format of a name.

    Raises:
        UsageError: there is none, or it does not know the quantization.
    """
    found = next((one for one in FORMATS if one.name == name), None)
    if found is None:
        raise UsageError(f"there is no format {name}", f"formats are {', '.join(one.name for one in FORMATS)}")
    if quantization is None or quantization in found.quantizations:
        return found
    if quantization not in (FLOAT16, INT8):
        raise UsageError(f"there is no quantization {quantization}", f"quantizations are {FLOAT16} and {INT8}")
    *others, last = [one.name for one in FORMATS if quantization in one.quantizations]
    raise UsageError(
        f"{found.title} has no {quantization} quantization",
        f"leave --quantize out, or choose {', '.join(others)} or {last}",
    )


def insist_on_tools(wanted: Format) -> None:
    """Raises:
    MachineError: something that makes or runs the format is not installed.
    """
    for tool in wanted.needs:
        if not is_installed(tool.module):
            what = f"{wanted.title} needs {tool.title}, which is not installed"
            raise MachineError(what, f"install it with: {tool.mend()}")
