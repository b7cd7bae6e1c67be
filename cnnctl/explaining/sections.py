"""An explanation in pictures, each with a sentence on what is seen, and as one page."""

from dataclasses import dataclass
from pathlib import Path

from cnnctl.architecture import LayerPlan
from cnnctl.data.decoder.images import Image
from cnnctl.explaining import drawing
from cnnctl.explaining.activation_maps import GRAD_CAM, HIRES_CAM
from cnnctl.explaining.explain import Explanation, Unit
from cnnctl.layers.notation import format_shape
from cnnctl.models.of_run import MOST_LAYERS, FeatureMaps, Network, first_convolution, kernels
from cnnctl.pictures import style
from cnnctl.pictures.canvas import resized
from cnnctl.pictures.page import render

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


def make_sections(found: Explanation, network: Network, run: str) -> list[Section]:
    """The pictures of an explanation, in the page's order; the run's name is for titles."""
    title = f"{Path(found.path).name}, {run}"
    with style.drawing():
        picture = enlarged(found.image)
        sections = [_answer(found, network, title), _places(found, network, picture, title)]
        if found.unit is not None:
            sections.append(_field(found.unit, picture, found.image.shape[:2], title))
        first = first_convolution(network.plan)
        if first is not None:
            sections.append(_kernels(network, first, run))
        if found.layers:
            sections.append(_maps(found, title))
    return sections


def _kernels(network: Network, first: LayerPlan, run: str) -> Section:
    words = "What the first convolution detects: each kernel responds most to a patch that looks like the kernel."
    content = style.png(drawing.kernels_figure(first.name, kernels(network, first), run))
    shown = Shown("kernels.png", f"Kernels of {first.name}", words, content)
    return Section("The learned kernels of the first layer", "", (shown,))


def _answer(found: Explanation, network: Network, title: str) -> Section:
    content = style.png(drawing.probabilities_figure(network.classes, found.probabilities, title, found.thresholds))
    best, *others = (f"{network.classes[at]} ({found.probabilities[at]:.1%})" for at in found.order[:2])
    caption = f"The network predicts {best}, then {others[0]}. All probabilities add up to 100%."
    if found.thresholds is not None:
        caption = (
            f"The network predicts {found.prediction(network.classes).named}: each class whose probability is not "
            "below its threshold, which is a mark across its bar."
        )
    return Section("The answer", "", (Shown("probabilities.png", "Probabilities of the classes", caption, content),))


def _places(found: Explanation, network: Network, picture: Image, title: str) -> Section:
    method = _METHODS[found.method] if found.features is not None else "Gradient times input"
    maps = []
    for one in found.maps:
        silent = "" if one.values.any() else ": no position raises its score"
        maps.append((f"{network.classes[one.number]} {found.probabilities[one.number]:.1%}{silent}", one.values))
    if found.features is None:
        made, words = (
            "the pixels",
            "The network has no convolution with several positions, so the map shows pixels: "
            "the positive part of gradient times value.",
        )
    else:
        height, width, _ = found.features.output_shape
        made = f"computed from the {height}x{width} positions of {found.features.name}"
        words = (
            f"{method} weights each feature map of {found.features.name} by how much it raises the score of a class."
        )
    content = style.png(drawing.cam_figure(picture, maps, made, f"{method} of {_classes_shown(found)}", title))
    best = network.classes[found.maps[0].number]
    caption = (
        f"Bright regions raise the score of a class. The brightest region of the first map contributes most to {best}."
    )
    if not found.maps[0].values.any():
        others = "" if found.thresholds is not None else ": the other classes have lower scores still"
        caption = f"No position raises the score of {best}{others}."
    shown = Shown(f"{found.method}.png", f"{method} over the image", caption, content)
    return Section("Which regions contribute to the prediction", words, (shown,))


def _classes_shown(found: Explanation) -> str:
    """Of which classes there are maps."""
    if found.thresholds is None:
        return "the most probable classes"
    given = sum(bool(found.probabilities[one.number] >= found.thresholds[one.number]) for one in found.maps)
    labels = f"the label{'s' if given > 1 else ''} that the image gets"
    if given == len(found.maps):
        return labels
    return f"{labels}, and the most probable others" if given else "the most probable classes"


def _field(unit: Unit, picture: Image, size: tuple[int, ...], title: str) -> Section:
    field = unit.layer.receptive_field
    assert field is not None
    content = style.png(drawing.field_figure(picture, (size[0], size[1]), unit.window, field, str(unit), title))
    caption = (
        f"The value of the unit at {unit} depends on the framed pixels only. "
        "Deeper layers have larger receptive fields."
    )
    shown = Shown("receptive-field.png", f"The receptive field of {unit}", caption, content)
    return Section("What one unit can see", "", (shown,))


def _maps(found: Explanation, title: str) -> Section:
    pictures = []
    for number, maps in enumerate(found.layers, 1):
        name = maps.row.name
        content = style.png(drawing.maps_figure(maps, title))
        pictures.append(Shown(f"maps-{number:02}-{name}.png", f"Feature maps of {name}", _seen(maps), content))
    words = "From the first layer to the last: first edges and colours, then coarser maps of larger patterns."
    if len(found.layers) == MOST_LAYERS:
        words += f" Of more than {MOST_LAYERS} layers the first and the last are shown."
    return Section("The feature maps of every convolution and pooling layer", words, tuple(pictures))


def _seen(maps: FeatureMaps) -> str:
    """A sentence on the maps of a layer."""
    height, width, channels = maps.row.output_shape
    made = f"{channels:,} map{'s' if channels > 1 else ''} of {height}x{width}"
    what = f"{maps.row.name} makes {made} from {format_shape(maps.row.input_shape)}"
    if channels == 1:
        return f"{what}."
    silent = f"; {maps.silent:,} of them {'is' if maps.silent == 1 else 'are'} zero for this image"
    return f"{what}; map {maps.strongest} has the highest mean{silent if maps.silent else ''}."


def enlarged(image: Image) -> Image:
    """What the network gets as RGB, its pixels as squares, with a longer side of `drawing.picture_pixels()`."""
    return resized(image, drawing.picture_pixels())


def page(found: Explanation, sections: list[Section], network: Network, run: str) -> str:
    """The whole explanation as one HTML file."""
    said = found.prediction(network.classes)
    alone = ", that of these labels and no others" if said.labels else ""
    return render(
        "explanation.html",
        heading=f"What {run} sees in {Path(found.path).name}",
        subtitle=f"{found.path}; the network gets {format_shape(network.plan.input_shape)}",
        answer=f"{said.named}, with a probability of {said.probability:.1%}{alone}",
        sections=sections,
    )
