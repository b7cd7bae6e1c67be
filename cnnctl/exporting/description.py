"""The JSON beside an exported file: all that a stranger needs in order to use it."""

from collections.abc import Sequence
from typing import Any

from cnnctl.data.decoder.images import ImageSpec
from cnnctl.exporting.formats import Format
from cnnctl.exporting.parity import Parity
from cnnctl.exporting.runtimes import Opened
from cnnctl.version import __version__


def describe(
    file: str,
    size: int,
    run: str,
    form: Format,
    quantization: str | None,
    opened: Opened,
    spec: ImageSpec,
    classes: Sequence[str],
    parity: Parity,
) -> dict[str, Any]:
    """The content of PATH.json.

    Args:
        file: The file's name, without a folder.
        size: Its bytes; of a folder, those of all its files.
        run: The run's title: a file that is passed on tells nothing of the machine it was made on.
        form: What it is.
        quantization: Likewise.
        opened: How it is called.
        spec: What it takes.
        classes: In label order.
        parity: The proof.
    """
    units = opened.output_shape[-1]
    return {
        "file": file,
        "format": form.name,
        "quantization": quantization,
        "bytes": size,
        "run": run,
        "cnnctl": __version__,
        "classes": list(classes),
        "signature": opened.signature,
        "input": {
            "name": opened.input_name,
            "dtype": "uint8",
            "shape": list(opened.input_shape),
            "height": spec.height,
            "width": spec.width,
            "channels": spec.channels,
            "colours": "grey" if spec.channels == 1 else "RGB",
            "values": "0 to 255; the model scales them itself",
            "fit": spec.fit,
            "background": list(spec.background),
            "resizing": "area where the image is shrunk, bilinear where it is enlarged",
        },
        "output": {
            "name": opened.output_name,
            "dtype": "float32",
            "shape": list(opened.output_shape),
            "activation": "sigmoid" if units == 1 else "softmax",
            "meaning": f"the probability of {classes[1]}; that of {classes[0]} is 1 minus it"
            if units == 1
            else "the probability of each class, in the order of classes",
        },
        "parity": parity.to_json(),
    }
