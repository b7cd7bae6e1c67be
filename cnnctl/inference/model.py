"""model.onnx and what is needed to use it: the image settings and the class names."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cnnctl.data.decoder.images import MAX_PIXELS, MEGAPIXEL, ImageSpec
from cnnctl.data.decoder.reading import MAX_FILE_BYTES, MEGABYTE
from cnnctl.errors import RunError
from cnnctl.inference.known_models import CHECKED, MADE, fingerprint, is_known, remember
from cnnctl.runs import Run
from cnnctl.system.cores import available_cores
from cnnctl.system.loudness import detail, lap

if TYPE_CHECKING:
    from cnnctl.inference.unknown import Familiar, Foreignness

METADATA_KEY = "cnnctl"
_SEVERAL = "multi_label"
FEATURES = "features"
"""The second output of a model.onnx, which those of earlier versions do not have: what the output layer gets."""

_MOST_PIXELS, _MOST_BYTES = 1000 * MEGAPIXEL, 1000 * MEGABYTE
MOST_SIDE = 8192
"""What a file may ask for, as the config may."""

_EXTERNAL_DATA = "external data"
_NO_FOLDER = f"{os.devnull}/{_EXTERNAL_DATA}"
"""Where ONNX Runtime looks for weights outside the model: a folder that nobody can make, named in what it then says."""

Probabilities = NDArray[np.float32]


@dataclass(frozen=True)
class Classifier:
    """A trained model: names in label order, what every image is made to be, ONNX Runtime's session, and its file.

    `familiar` knows the images that it was trained on; None where nobody asks, or the run does not say. `thresholds`,
    float32 (classes,), say from which probability on an image has a label; None where it has one, the likeliest.
    """

    classes: tuple[str, ...]
    spec: ImageSpec
    session: Any
    path: Path
    familiar: "Familiar | None" = None
    thresholds: NDArray[np.float32] | None = None

    @property
    def several(self) -> bool:
        """Whether an image may have several labels."""
        return self.thresholds is not None

    def probabilities(self, images: NDArray[np.uint8]) -> Probabilities:
        """The probability of each class for uint8 images (N, height, width, channels).

        Returns:
            float32 (N, classes); rows sum to 1, unless there are several labels. A sigmoid's p becomes [1 - p, p].

        Raises:
            RunError: the model cannot be computed, takes too long, or gives what is NaN or infinite.
        """
        return self._computed(images)[0]

    def answers(self, images: NDArray[np.uint8]) -> "list[tuple[Probabilities, Foreignness | None]]":
        """The probabilities of each image, float32 (classes,), and how foreign it is where `familiar` says so.

        Raises:
            RunError: as `probabilities`, or the features are of another number than `familiar` knows.
        """
        if self.familiar is None:
            return [(row, None) for row in self.probabilities(images)]
        from cnnctl.inference.unknown import reduced

        probabilities, features = self._computed(images, with_features=True)
        return list(zip(probabilities, self.familiar.judge(reduced(features)), strict=True))

    def features(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """What the output layer gets of images, as `reduced` makes it: float32 (N, ...); raises as `probabilities`."""
        return self.probabilities_and_features(images)[1]

    def probabilities_and_features(self, images: NDArray[np.uint8]) -> tuple[Probabilities, NDArray[np.float32]]:
        """`probabilities` and `features` of one computation."""
        from cnnctl.inference.unknown import reduced

        probabilities, features = self._computed(images, with_features=True)
        return probabilities, reduced(features)

    def _computed(self, images: NDArray[np.uint8], with_features: bool = False) -> list[NDArray[np.float32]]:
        """The probabilities, and maybe the features."""
        names = [self.session.get_outputs()[0].name, *([FEATURES] if with_features else [])]
        try:
            found: list[NDArray[np.float32]] = self.session.run(names, {self.session.get_inputs()[0].name: images})
        except RunError:
            raise
        except Exception as error:  # onnxruntime raises its own classes, which share no base but Exception
            raise RunError(f"{self.path} cannot be used: {str(error).splitlines()[0]}", "train the run again") from None
        for what, values in zip(("probabilities", FEATURES), found, strict=False):
            if not np.isfinite(values).all():
                raise RunError(f"{self.path} gives {what} that are no numbers", "train the run again")
        if with_features and (found[1].ndim != 2 or len(found[1]) != len(images)):
            raise RunError(f"{self.path} gives {FEATURES} of another form", "train the run again")
        return [expand(found[0]), *found[1:]]


def expand(output: NDArray[np.float32]) -> Probabilities:
    """(N, 1) of a sigmoid as (N, 2); (N, classes) as it is."""
    return np.concatenate([1 - output, output], axis=1) if output.shape[1] == 1 else output


def load_classifier(run: Run, threads: int | None = None, tells_unknown: bool = False) -> Classifier:
    """The model of a run; `threads` are those of one computation, every core when left out.

    One is best where batches are computed side by side. If it `tells_unknown` and the run can, its answers say how
    foreign an image is.

    Raises:
        RunError: the run has no usable model.onnx; the message says why.
    """
    if not run.has(run.onnx_model):
        _insist_on_parity(run)
        run.need(run.onnx_model)
    detail(f"model: {run.onnx_model.absolute()}, computed in {threads or available_cores()} threads")
    session = _open_anybodys(run.onnx_model, threads, run.read_bytes(run.onnx_model))
    try:
        text = session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
        takes, units = session.get_inputs()[0].shape[1:], session.get_outputs()[0].shape[1]
    except (UnicodeDecodeError, IndexError) as error:
        raise RunError(f"{run.onnx_model} is damaged: {error}", "train the run again") from None
    spec = _read_spec(text, takes, run.onnx_model)
    classes = run.read_classes()
    several = _has_several(text)
    if units != len(classes) and (several or units != 1 or len(classes) != 2):
        raise RunError(f"{run.onnx_model} has {units} outputs, but {run.classes} names {len(classes)} classes")
    familiar = _familiar(run, session) if tells_unknown and run.has(run.unknown) else None
    thresholds = None
    if several:
        from cnnctl.inference.thresholds import read_thresholds

        thresholds = read_thresholds(run, classes)
    lap("loading the model")
    return Classifier(classes, spec, session, run.onnx_model, familiar, thresholds)


def _familiar(run: Run, session: Any) -> "Familiar":
    """What a run knows of its training images, which is about the features of its model."""
    from cnnctl.inference.unknown import WITHOUT, read_familiar

    if FEATURES not in [output.name for output in session.get_outputs()]:
        raise RunError(f"{run.onnx_model} has no output {FEATURES}, which {run.unknown} is about", WITHOUT)
    return read_familiar(run)


def _open_anybodys(path: Path, threads: int | None, content: bytes) -> Any:
    """A session of a model that a stranger may have made: only with operators that ours have, and limits of time and
    memory.

    Raises:
        RunError: it has others, is no model that ONNX Runtime can run, or takes too long or too much memory to be
            loaded.
    """
    model = fingerprint(content)
    if is_known(model, MADE):
        return open_session(path, threads, content)
    from cnnctl.inference.memory_limit import LEFT_OUT, limit_memory, refuse_too_large
    from cnnctl.inference.operators import refuse_foreign_operators
    from cnnctl.inference.time_limit import open_within

    if not is_known(model, CHECKED):
        refuse_foreign_operators(content, path)
        remember(model, CHECKED)
    options = _session_options(threads)
    limit_memory(options)

    def open_it() -> Any:
        try:
            return _created(content, options, LEFT_OUT)
        except Exception as error:
            refuse_too_large(error, path)
            raise _unusable(error, path) from None

    return open_within(open_it, path, lambda: options.set_load_cancellation_flag(True))


def _insist_on_parity(run: Run) -> None:
    """Raises:
    RunError: model.onnx was not written, since it is not the same as model.keras.
    """
    parity = run.read_metrics().get("onnx", {})
    if parity.get("written") is False:
        largest = parity["largest_difference"]
        how = "were NaN or infinite" if largest is None else f"differed from model.keras by up to {largest:.3g}"
        raise RunError(
            f"the run {run.path} has no model.onnx: its probabilities {how}, and {parity['limit']:g} is the limit",
            "model.keras can be used; please report the config as a bug",
        )


def open_session(path: Path, threads: int | None = None, content: bytes | None = None) -> Any:
    """An ONNX Runtime session on the CPU that writes no log; `threads` are every core when left out.

    `content` is that of the file, where it was read already.

    Raises:
        RunError: the file is no model that ONNX Runtime can run.
    """
    return _session(path, path.read_bytes() if content is None else content, _session_options(threads))


def _session_options(threads: int | None) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = available_cores() if threads is None else threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # waiting threads would eat a core
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", _NO_FOLDER)
    options.add_session_config_entry("session.load_model_format", "ONNX")  # its own format would hide the operators
    return options


def _session(path: Path, content: bytes, options: Any) -> Any:
    try:
        return _created(content, options)
    except Exception as error:  # onnxruntime raises its own classes, which share no base but Exception
        raise _unusable(error, path) from None


def _created(content: bytes, options: Any, without: Sequence[str] = ()) -> Any:
    """The session of a model in memory: for files, ONNX Runtime does not heed the folder of external weights.

    `without` are optimizers that are not to be used.
    """
    import onnxruntime

    return onnxruntime.InferenceSession(
        content,
        options,
        providers=["CPUExecutionProvider"],
        enable_fallback=False,
        disabled_optimizers=list(without) or None,
    )


def _unusable(error: Exception, path: Path) -> RunError:
    if _EXTERNAL_DATA in str(error).lower():
        return RunError(f"{path} refers to weights in other files", "a model.onnx from cnnctl contains all its weights")
    return RunError(f"{path} cannot be used: {str(error).splitlines()[0]}", "train the run again")


def metadata(spec: ImageSpec, classes: Sequence[str], several: bool = False) -> str:
    """What training writes into model.onnx, so that the file alone says how to use it.

    `several` says whether an image may have several labels.
    """
    more = {_SEVERAL: True} if several else {}
    return json.dumps({"image": asdict(spec), "classes": list(classes), **more}, ensure_ascii=False)


def _has_several(text: str | None) -> bool:
    """Whether the metadata of a model, which could be read, says that an image may have several labels."""
    return text is not None and json.loads(text).get(_SEVERAL) is True


def _read_spec(text: str | None, takes: list[Any], path: Path) -> ImageSpec:
    if text is None:
        raise RunError(f"{path} has no image settings", "it was not made by cnnctl train")
    try:
        image = json.loads(text)["image"]
        red, green, blue = (int(part) for part in image["background"])
        sides = int(image["height"]), int(image["width"]), int(image["channels"])
        limits = (
            min(int(image.get("max_pixels", MAX_PIXELS)), _MOST_PIXELS),
            min(int(image.get("max_bytes", MAX_FILE_BYTES)), _MOST_BYTES),
        )
        spec = ImageSpec(*sides, str(image["fit"]), (red, green, blue), *limits)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise RunError(f"{path} has invalid image settings: {error!r}") from None
    if not (1 <= spec.height <= MOST_SIDE and 1 <= spec.width <= MOST_SIDE and spec.channels in (1, 3)):
        shape = "x".join(map(str, spec.shape))
        raise RunError(f"{path} takes images of {shape}; the most is {MOST_SIDE}x{MOST_SIDE}x3")
    if takes != list(spec.shape):
        raise RunError(f"{path} takes images of {takes}, but says {list(spec.shape)}")
    return spec
