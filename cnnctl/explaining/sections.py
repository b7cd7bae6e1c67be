"""An explanation in pictures, each with a sentence on what is seen, and as one page."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cnnctl.architecture import LayerPlan
from cnnctl.architecture.plan import format_shape
from cnnctl.data.images import Image, ImageSpec, opencv, read_image
from cnnctl.explaining import drawing
from cnnctl.explaining.activation_maps import GRAD_CAM, HIRES_CAM
from cnnctl.explaining.explain import Explanation, Unit
from cnnctl.explaining.network import Network, Values, first_convolution, kernels
from cnnctl.pages.page import render
from cnnctl.pictures import style

_METHODS = {GRAD_CAM: "Grad-CAM", HIRES_CAM: "HiResCAM"}


@dataclass(frozen=True)
class Shown:
    """One picture: its file's name, what it is, and a sentence on what is seen."""

    file: str
    title: str
    caption: str
    content: bytes


@dataclass(frozen=True)
class Section:
    """A part of the page."""

    title: str
    words: str
    pictures: tuple[Shown, ...]


def make_sections(found: Explanation, network: Network, spec: ImageSpec, run: str) -> list[Section]:
    """The pictures of an explanation, in the page's order.

    Args:
        found: What was found.
        network: The network.
        spec: What its images are made to be.
        run: The run's name, for titles.
    """
    title = f"{Path(found.path).name}, {run}"
    with style.drawing():
        picture = large_picture(found.path, spec)
        sections = [_answer(found, network, title), _places(found, network, picture, title)]
        if found.unit is not None:
            sections.append(_field(found.unit, picture, spec, title))
        first = first_convolution(network.plan)
        if first is not None:
            sections.append(_kernels(network, first, run))
        if found.layers:
            sections.append(_maps(found, title))
    return sections


def _kernels(network: Network, first: LayerPlan, run: str) -> Section:
    words = "What the first convolution looks for: each kernel answers strongest to a patch that looks like itself."
    content = style.png(drawing.kernels_figure(first.name, kernels(network, first), run))
    shown = Shown("kernels.png", f"Kernels of {first.name}", words, content)
    return Section("The learned kernels of the first layer", "", (shown,))


def _answer(found: Explanation, network: Network, title: str) -> Section:
    content = style.png(drawing.probabilities_figure(network.classes, found.probabilities, title))
    best, *others = (f"{network.classes[at]} ({found.probabilities[at]:.1%})" for at in found.order[:2])
    caption = f"The network takes this image for {best}; next comes {others[0]}. All probabilities add up to 100%."
    return Section("The answer", "", (Shown("probabilities.png", "Probabilities of the classes", caption, content),))


def _places(found: Explanation, network: Network, picture: Image, title: str) -> Section:
    method = _METHODS[found.method]
    maps = []
    for one in found.maps:
        silent = "" if one.values.any() else ": no place speaks for it"
        maps.append((f"{network.classes[one.number]} {found.probabilities[one.number]:.1%}{silent}", one.values))
    if found.features is None:
        made, words = (
            "the pixels",
            "The network has no convolution with several places, so the map shows pixels: "
            "the positive part of gradient times value.",
        )
    else:
        high, wide, _ = found.features.output_shape
        made = f"made of the {high}x{wide} places of {found.features.name}"
        words = f"{method} weighs the feature maps of {found.features.name} by how much each raises a class' score."
    content = style.png(drawing.cam_figure(picture, maps, made, method, title))
    best = network.classes[found.order[0]]
    caption = (
        f"Bright places are those that raise the score of a class; the brightest in the first map is where the "
        f"network sees {best}."
    )
    if not found.maps[0].values.any():
        caption = f"No place raises the score of {best}: the network takes it for {best} because it sees nothing else."
    shown = Shown(f"{found.method}.png", f"{method} over the image", caption, content)
    return Section("Which places speak for the answer", words, (shown,))


def _field(unit: Unit, picture: Image, spec: ImageSpec, title: str) -> Section:
    field = unit.layer.receptive_field
    assert field is not None
    content = style.png(drawing.field_figure(picture, (spec.height, spec.width), unit.window, field, str(unit), title))
    caption = (
        f"Whatever the unit at {unit} answers, it knows of nothing but the framed pixels; "
        "deeper layers see more of the image."
    )
    shown = Shown("receptive-field.png", f"The receptive field of {unit}", caption, content)
    return Section("What one unit can see", "", (shown,))


def _maps(found: Explanation, title: str) -> Section:
    pictures = []
    for number, (row, values) in enumerate(found.layers, 1):
        content = style.png(drawing.maps_figure(row.name, values, title))
        pictures.append(
            Shown(f"maps-{number:02}-{row.name}.png", f"Feature maps of {row.name}", _seen(row, values), content)
        )
    words = "From the first layer to the last: edges and colours at first, then ever coarser maps of larger patterns."
    return Section("The feature maps of every convolution and pooling layer", words, tuple(pictures))


def _seen(row: LayerPlan, values: Values) -> str:
    """A sentence on the maps of a layer."""
    high, wide, channels = values.shape
    strongest = int(values.mean(axis=(0, 1)).argmax())
    silent = int((np.abs(values).max(axis=(0, 1)) == 0).sum())
    maps = f"{channels:,} map{'s' if channels > 1 else ''} of {high}x{wide}"
    what = f"{row.name} makes {maps} from {format_shape(row.input_shape)}"
    if channels == 1:
        return f"{what}."
    quiet = f"; {silent:,} of them see{'s' if silent == 1 else ''} nothing in this image" if silent else ""
    return f"{what}; map {strongest} answers strongest on the whole{quiet}."


def large_picture(path: str, spec: ImageSpec) -> Image:
    """The image as the network gets it, but larger: RGB, its longer side of `drawing.picture_pixels()`."""
    scale = drawing.picture_pixels() / max(spec.height, spec.width)
    high, wide = max(1, round(spec.height * scale)), max(1, round(spec.width * scale))
    pixels = read_image(path, replace(spec, height=high, width=wide))
    shown: Image = opencv().cvtColor(pixels, opencv().COLOR_GRAY2RGB) if spec.channels == 1 else pixels
    return shown


def page(found: Explanation, sections: list[Section], network: Network, run: str) -> str:
    """The whole explanation as one HTML file."""
    best = found.order[0]
    return render(
        "explanation.html",
        heading=f"What {run} sees in {Path(found.path).name}",
        subtitle=f"{found.path}; the network gets {format_shape(network.plan.input_shape)}",
        answer=f"{network.classes[best]}, with a probability of {found.probabilities[best]:.1%}",
        sections=sections,
    )
