"""What Keras writes about a network -> a graph. It may come from a stranger: only what is known to be harmless passes.

Every class must be one of Keras' own that `nodes.NODES` lists, and every setting of the right type and within the
limits; nothing of the configuration is ever handed to Keras.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from pydantic import ValidationError

from cnnctl.architecture.graph.graph import IMAGE, MAX_NODES, Graph, Node
from cnnctl.architecture.graph.nodes import NODES, Merge
from cnnctl.architecture.scaling import NONE
from cnnctl.layers.base import BaseLayer
from cnnctl.layers.normalization import Rescaling
from cnnctl.settings import MAX_SIDE

Constants = Callable[[str], tuple[Sequence[float], Sequence[float]]]
"""Gives mean and variance of a Normalization layer from where its weights lie, if its settings do not say them."""

MODELS = ("Functional", "Sequential", "Model")
_DEPTH = 8
_EPSILON = 1e-7
"""Keras' own: the least deviation that a Normalization layer divides by."""
_NAME = re.compile(r"[^\s/\\]{1,200}")
_STOCK = re.compile(r"keras(\.src)?(\.layers|\.models)?(\.[a-z0-9_.]+)?")
_OPERATIONS = {"Add": "Add", "Multiply": "Multiply"}
_OPERATION_MODULES = ("keras.src.ops.numpy", "keras.ops")
_SAYS_NOTHING = ("_initializer", "_regularizer", "_constraint")
_HARMLESS = {"name", "trainable", "seed", "noise_shape", "momentum", "synchronized", "renorm_momentum"}
_HARMLESS |= {"renorm_clipping", "autocast"}
_BY_THE_BACKBONE = "trainable"
"""The setting that all layers of a backbone take from it."""
_ONLY: dict[str, tuple[Any, ...]] = {"data_format": (None, "channels_last"), "axis": (-1, 3, [-1], [3])}
_ALIASES = {"swish": "silu", "hard_swish": "hard_silu", None: "linear"}


class UnreadableGraphError(Exception):
    """A network that cannot be a graph; the text is the reason, without the file's name."""


def read_graph(model: Mapping[str, Any], constants: Constants, place: str = "") -> Graph:
    """The graph of the config.json of a Functional or Sequential model; `place` is where its weights lie.

    Raises:
        UnreadableGraphError: it has what a graph cannot have.
        AttributeError, LookupError, TypeError, ValueError, RecursionError: it is nothing that Keras writes.
    """
    reader = _Reader(constants)
    output = reader.model(model, place, IMAGE, 0)
    if output == IMAGE:
        raise UnreadableGraphError("has no layers")
    nodes = _leading_to(output, reader.nodes)
    first = next((node.layer for node in nodes if IMAGE in node.inputs), None)
    scaling = NONE if isinstance(first, Rescaling) else None
    name = str(model["config"].get("name", "backbone"))
    return Graph(name, nodes, scaling, size=input_size(model), places=reader.places)


def input_size(model: Mapping[str, Any]) -> tuple[int | None, int | None, int]:
    """(height, width, channels) of the images that a model takes; a side that may be any is None.

    Raises:
        UnreadableGraphError: it takes something else.
    """
    entries = model["config"]["layers"]
    first = entries[0]
    shape = first["config"].get("batch_shape")
    while shape is None and first.get("class_name") in MODELS:
        first = first["config"]["layers"][0]
        shape = first["config"].get("batch_shape")
    shape = shape or (first.get("build_config") or {}).get("input_shape")
    if isinstance(shape, list) and len(shape) == 4 and _is_side(shape[3]):
        height, width = shape[1:3]
        if all(side is None or _is_side(side) for side in (height, width)):
            return height, width, shape[3]
    raise UnreadableGraphError(f"does not take images: its input is {str(shape)[:60]}")


def _is_side(value: Any) -> bool:
    return type(value) is int and 1 <= value <= MAX_SIDE


def _leading_to(output: int, nodes: Sequence[Node]) -> tuple[Node, ...]:
    """The nodes that an output needs, numbered anew."""
    needed, waiting = {output}, [output]
    while waiting:
        for source in nodes[waiting.pop()].inputs:
            if source != IMAGE and source not in needed:
                needed.add(source)
                waiting.append(source)
    numbers = {old: new for new, old in enumerate(sorted(needed))}
    numbers[IMAGE] = IMAGE
    kept = (nodes[old] for old in sorted(needed))
    return tuple(Node(node.name, node.layer, tuple(numbers[one] for one in node.inputs)) for node in kept)


@dataclass
class _Reader:
    """Reads models within models into one list of nodes."""

    constants: Constants
    nodes: list[Node] = field(default_factory=list)
    places: dict[str, str] = field(default_factory=dict)
    names: dict[str, int] = field(default_factory=dict)
    """Of the nodes, each with the last number that one of the same name was given."""

    def model(self, model: Mapping[str, Any], place: str, source: int, depth: int) -> int:
        """The number of the node that a model ends with; `place` is where its weights lie in the file."""
        kind, config = model["class_name"], model["config"]
        if kind not in MODELS:
            _refuse(f"holds a {str(kind)[:60]} model", "Functional and Sequential models can be read")
        _insist_on_stock(model)
        if depth > _DEPTH:
            _refuse(f"has models within models, more than {_DEPTH} deep")
        inside = self._sequential if kind == "Sequential" else self._functional
        return inside(config, place, source, depth)

    def _sequential(self, config: Mapping[str, Any], place: str, source: int, depth: int) -> int:
        places = Places(place)
        for entry in config["layers"]:
            here = places.next(entry["class_name"])
            if entry["class_name"] != "InputLayer":
                source = self._entry(entry, entry["config"]["name"], [source], here, depth)
        return source

    def _functional(self, config: Mapping[str, Any], place: str, source: int, depth: int) -> int:
        places, made = Places(place), dict[str, int]()
        image, output = (_only_one(config[key], key) for key in ("input_layers", "output_layers"))
        for entry in config["layers"]:
            name, kind, nodes = entry["name"], entry["class_name"], entry["inbound_nodes"]
            if name in made:
                _refuse(f"has two layers {_shown(name)}")
            here = place if _is_operation(entry) else places.next(kind)
            if kind == "InputLayer":
                if name != image:
                    _refuse("has more than one input")
                made[name] = source
                continue
            if len(nodes) != 1:
                _refuse(f"uses the layer {_shown(name)} {len(nodes)} times", "each layer can be used once")
            sources, numbers = _call(nodes[0], name)
            unknown = [one for one in sources if one not in made]
            if unknown:
                _refuse(f"uses {_shown(unknown[0])} before it is computed")
            inputs = [made[one] for one in sources]
            if _is_operation(entry):
                made[name] = self._operation(kind, name, inputs, numbers)
            else:
                if numbers:
                    _refuse(f"calls {_shown(name)} with numbers")
                made[name] = self._entry(entry, name, inputs, here, depth)
        return made[output]

    def _entry(self, entry: Mapping[str, Any], name: Any, inputs: list[int], place: str, depth: int) -> int:
        kind, config = entry["class_name"], entry["config"]
        if kind in MODELS:
            if len(inputs) != 1:
                _refuse(f"calls the model {_shown(name)} with {len(inputs)} inputs")
            return self.model(entry, f"{place}/", inputs[0], depth + 1)
        if kind == "Normalization":
            _insist_on_stock(entry)
            layer: BaseLayer = self._normalization(config, name, place)
        else:
            if kind not in NODES:
                _refuse(f"has a layer {_shown(kind)}, which a backbone cannot have")
            _insist_on_stock(entry)
            layer = _layer(kind, config, name)
        return self._add(name, layer, inputs, place)

    def _operation(self, kind: str, name: Any, inputs: list[int], numbers: list[float]) -> int:
        """`x + 3` and the like, which Keras writes as an operation: a rescaling, or the sum of two nodes."""
        if len(inputs) == 2 and not numbers:
            return self._add(name, NODES[_OPERATIONS[kind]](), inputs, None)
        if len(inputs) != 1 or len(numbers) != 1:
            _refuse(f"calls the operation {_shown(name)} with {len(inputs)} inputs and {len(numbers)} numbers")
        scale, offset = (1.0, numbers[0]) if kind == "Add" else (numbers[0], 0.0)
        return self._add(name, _validated("Rescaling", {"scale": scale, "offset": offset}, name), inputs, None)

    def _normalization(self, config: Mapping[str, Any], name: Any, place: str) -> BaseLayer:
        """(x - mean) / deviation as a rescaling; the two are in the settings or among the weights."""
        _insist_on_harmless(config, ("mean", "variance", "invert"), name)
        if config.get("invert") is not False:
            _refuse(f"the layer {_shown(name)} is inverted")
        given: tuple[Any, Any] = (config.get("mean"), config.get("variance"))
        if given == (None, None):
            given = self.constants(place)
        means, variances = ([float(one) for one in (x if isinstance(x, list | tuple) else [x])] for x in given)
        scale = [1 / max(one**0.5, _EPSILON) for one in variances]
        offset = [-one * by for one, by in zip(means, scale, strict=True)]
        short = len(scale) == 1
        settings = {"scale": scale[0] if short else scale, "offset": offset[0] if short else offset}
        return _validated("Rescaling", settings, name)

    def _add(self, name: Any, layer: BaseLayer, inputs: list[int], place: str | None) -> int:
        if len(self.nodes) == MAX_NODES:
            _refuse(f"has more than {MAX_NODES:,} layers")
        if isinstance(layer, Merge) != (len(inputs) > 1):
            _refuse(f"calls the layer {_shown(name)} with {len(inputs)} inputs")
        if not isinstance(name, str) or not name.isprintable() or not _NAME.fullmatch(name):
            _refuse(f"has a layer whose name is {_shown(name)}")
        unique = self._unique(name)
        self.nodes.append(Node(unique, layer, tuple(inputs)))
        if place is not None:
            self.places[unique] = place
        return len(self.nodes) - 1

    def _unique(self, name: str) -> str:
        """A name that no node has: this one, or with a number."""
        unique = name
        while unique in self.names:
            self.names[name] += 1
            unique = f"{name}_{self.names[name]}"
        self.names[unique] = 0
        return unique


class Places:
    """Where the weights of the layers of a model lie: Keras numbers those of each class."""

    def __init__(self, place: str) -> None:
        self._place, self._seen = place, Counter[str]()

    def next(self, class_name: str) -> str:
        """The place of the model's next layer."""
        name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", class_name))
        name = re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()
        number = self._seen[name]
        self._seen[name] += 1
        return f"{self._place}layers/{name}_{number}" if number else f"{self._place}layers/{name}"


def _only_one(value: Any, key: str) -> Any:
    """The layer's name of `input_layers` or `output_layers`: `[name, 0, 0]`, also in lists of one."""
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not (isinstance(value, list) and len(value) == 3 and isinstance(value[0], str) and value[1:] == [0, 0]):
        _refuse(f"has more than one {key.partition('_')[0]}")
    return value[0]


def _call(node: Any, name: Any) -> tuple[list[str], list[float]]:
    """The layers and the numbers that a layer is called with."""
    if not isinstance(node, dict):
        _refuse("was written by Keras 2", "load and save it with Keras 3")
    for key, value in node["kwargs"].items():
        if key not in ("training", "mask") or not (value is None or isinstance(value, bool)):
            _refuse(f"calls the layer {_shown(name)} with {_shown(key)}")
    args = node["args"]
    if len(args) == 1 and isinstance(args[0], list):
        args = args[0]
    sources: list[str] = []
    numbers: list[float] = []
    for value in args:
        if type(value) in (int, float):
            numbers.append(value)
            continue
        if not isinstance(value, dict) or value.get("class_name") != "__keras_tensor__":
            _refuse(f"calls the layer {_shown(name)} with {_shown(value)}")
        source, *rest = value["config"]["keras_history"]
        if rest != [0, 0] or not isinstance(source, str):
            _refuse(f"uses several outputs of {_shown(source)}")
        sources.append(source)
    return sources, numbers


def _is_operation(entry: Mapping[str, Any]) -> bool:
    """Whether an entry is a function of keras.ops that can be a node."""
    kind, module = entry["class_name"], entry.get("module")
    return module in _OPERATION_MODULES and kind in _OPERATIONS and entry.get("registered_name") in (None, kind)


def _insist_on_stock(entry: Mapping[str, Any]) -> None:
    """Refuse what only has the name of a class of Keras."""
    kind, module, registered = entry["class_name"], entry.get("module"), entry.get("registered_name")
    if not isinstance(module, str) or not _STOCK.fullmatch(module) or registered not in (None, kind):
        _refuse(f"has a {_shown(kind)} that is not Keras' own ({_shown(registered or module)})")


def _insist_on_harmless(config: Mapping[str, Any], own: Sequence[str], name: Any) -> None:
    """Refuse settings that would change what a layer computes."""
    for key, value in config.items():
        if key in own or key in _HARMLESS or key.endswith(_SAYS_NOTHING):
            continue
        if key == "dtype":
            if isinstance(value, dict) and value.get("class_name") != "DTypePolicy":
                _refuse(f"the layer {_shown(name)} is quantized")
        elif not (value in _ONLY[key] if key in _ONLY else value is None or value is False):
            _refuse(f"the layer {_shown(name)} has {_shown(key)}={_shown(value)}")


def _layer(kind: str, config: Mapping[str, Any], name: Any) -> BaseLayer:
    member = NODES[kind]
    names = [one for one in member.model_fields if not one.endswith(_SAYS_NOTHING) and one != _BY_THE_BACKBONE]
    if not member.acts_in_training_only:
        _insist_on_harmless(config, names, name)
    settings = {key: config[key] for key in names if key in config}
    activation = settings.get("activation")
    if isinstance(activation, dict):
        activation = activation.get("config", {})
        activation = activation.get("name") if isinstance(activation, dict) else activation
    if "activation" in settings:
        settings["activation"] = _ALIASES.get(activation, activation)
    return _validated(kind, {key: value for key, value in settings.items() if value is not None}, name)


def _validated(kind: str, settings: Mapping[str, Any], name: Any) -> BaseLayer:
    try:
        return NODES[kind].model_validate(settings)
    except ValidationError as error:
        first = error.errors()[0]
        key = str(first["loc"][0]) if first["loc"] else "settings"
        _refuse(f"the layer {_shown(name)} has {key}={_shown(settings.get(key))}: {first['msg'].lower()}")


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    return "".join(letter if letter.isprintable() else "?" for letter in text[:60])


def _refuse(reason: str, mend: str | None = None) -> NoReturn:
    raise UnreadableGraphError(reason if mend is None else f"{reason}; {mend}")
