import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from cnnctl.config import load, overrides, source
from cnnctl.config.dump import to_yaml
from cnnctl.config.load import bind
from cnnctl.config.optimizers import Adam, Sgd
from cnnctl.errors import EXIT_CONFIG, ConfigError
from cnnctl.layers import LAYERS
from cnnctl.layers.initializers import Whitening
from cnnctl.settings import needs_settings
from tests.config.build import (
    EVERY_LAYER,
    FULL,
    SMALLEST,
    config,
    layer_item,
    layers,
    problem,
    problems,
    with_model,
)

BARE = sorted(kind for kind, settings in EVERY_LAYER.items() if not settings)


def value(parsed, path):
    for part in path.split("."):
        parsed = parsed[int(part)] if part.isdigit() else getattr(parsed, part)
    return parsed


@pytest.mark.parametrize(
    ("path", "default"),
    [
        ("name", "c"),
        ("seed", 0),
        ("deterministic", "auto"),
        ("classes", None),
        ("output.activation", "softmax"),
        ("output.use_bias", True),
        ("data.validation", 0.2),
        ("data.test", None),
        ("data.csv.path", "path"),
        ("data.csv.label", "label"),
        ("data.csv.group", None),
        ("data.image.height", 64),
        ("data.image.width", 64),
        ("data.image.channels", 3),
        ("data.image.fit", "stretch"),
        ("data.image.scaling", "auto"),
        ("data.image.background", (0, 0, 0)),
        ("data.cache", "auto"),
        ("data.keep", "all"),
        ("data.on_bad_image", "error"),
        ("data.max_bad_images", 0.01),
        ("augment", ()),
        ("train.epochs", 20),
        ("train.batch_size", 64),
        ("train.optimizer", Adam()),
        ("train.optimizer.learning_rate", 0.001),
        ("train.class_weight", None),
        ("train.early_stopping", None),
        ("train.best", "val_loss"),
        ("train.precision", "auto"),
        ("train.device", "auto"),
        ("model.0.strides", (1, 1)),
        ("model.0.padding", "valid"),
        ("model.0.dilation_rate", (1, 1)),
        ("model.0.groups", 1),
        ("model.0.activation", "linear"),
        ("model.0.use_bias", True),
        ("model.0.kernel_initializer", "glorot_uniform"),
        ("model.0.kernel_regularizer", None),
    ],
)
def test_defaults(path, default):
    assert value(config(SMALLEST), path) == default


def test_the_table_of_layers_is_complete():
    assert set(EVERY_LAYER) == set(LAYERS)
    assert [kind for kind in EVERY_LAYER if not needs_settings(LAYERS[kind])] == [
        kind for kind in EVERY_LAYER if kind in BARE
    ]


def test_the_full_config_means_what_it_says():
    full = config(FULL)
    assert full.data.train == "/configs/photos/train"
    assert full.data.csv.folder == "/configs/images"
    assert full.data.cache == "off"
    assert full.augment[1].factor == (-0.1, 0.1)
    assert full.augment[2].width_factor == (-0.1, 0.2)
    assert full.augment[3].height_factor == (-0.5, 3.0)
    assert full.augment[3].width_factor == (-0.2, 0.2)
    assert full.train.optimizer == Sgd(learning_rate=0.1, momentum=0.9, nesterov=True)
    assert full.train.early_stopping.patience == 0
    assert [layer.kind for layer in full.model[0].layers] == ["conv2d", "batch_normalization"]
    assert full.model[0].layers[0].kernel_regularizer.l2 == 0.001


@pytest.mark.parametrize(
    ("kind", "key", "text", "normal"),
    [
        ("conv2d", "kernel_size", "5", (5, 5)),
        ("conv2d", "kernel_size", "[1, 7]", (1, 7)),
        ("conv2d", "strides", "[2, 1]", (2, 1)),
        ("conv2d", "padding", "same", "same"),
        ("conv2d", "padding", "0", ((0, 0), (0, 0))),
        ("conv2d", "padding", "2", ((2, 2), (2, 2))),
        ("conv2d", "padding", "[[1, 2], [3, 4]]", ((1, 2), (3, 4))),
        ("conv2d", "kernel_regularizer", "none", None),
        ("max_pooling2d", "strides", "3", (3, 3)),
        ("max_pooling2d", "strides", "null", (2, 2)),
        ("max_pooling2d", "strides", "none", (2, 2)),
        ("zero_padding2d", "padding", "3", ((3, 3), (3, 3))),
        ("zero_padding2d", "padding", "[[0, 1], [0, 2]]", ((0, 1), (0, 2))),
        ("dropout", "rate", "0", 0.0),
    ],
)
def test_short_forms_have_one_normal_form(kind, key, text, normal):
    needed = {"conv2d": "filters: 4, kernel_size: 3", "max_pooling2d": "pool_size: 2"}.get(kind, "")
    settings = ", ".join([part for part in needed.split(", ") if part and not part.startswith(f"{key}:")])
    (layer,) = layers(f"{kind}: {{{settings}{', ' * bool(settings)}{key}: {text}}}")
    assert getattr(layer, key) == normal


def test_pooling_strides_are_the_pool_size_unless_given():
    assert layers("max_pooling2d: {pool_size: [2, 3]}")[0].strides == (2, 3)
    assert layers("max_pooling2d: {pool_size: [2, 3], strides: 1}")[0].strides == (1, 1)


@pytest.mark.parametrize(
    ("settings", "key", "normal"),
    [
        ("image: {size: 96}", "image.height", 96),
        ("image: {size: 96}", "image.width", 96),
        ("image: {height: 8}", "image.width", 64),
        ("validation: 0", "validation", 0.0),
        ("validation: none", "validation", 0.0),
        ("validation: other", "validation", "/configs/other"),
        ("test: 0", "test", None),
        ("test: none", "test", None),
        ("test: 0.1", "test", 0.1),
        ("test: /abs", "test", "/abs"),
        ("cache: here", "cache", "/configs/here"),
        ("csv: {group: none}", "csv.group", None),
    ],
)
def test_data_settings_have_one_normal_form(settings, key, normal):
    assert value(config(f"data: {{train: photos, {settings}}}\nmodel: [flatten]\n").data, key) == normal


@pytest.mark.parametrize(
    ("train", "resolved"),
    [
        ("digits", "digits"),
        ("./digits", "/configs/digits"),
        ("~no-such-user-here/x", "/configs/~no-such-user-here/x"),
        ("007", None),
    ],
)
def test_paths_are_relative_to_the_config(train, resolved):
    text = f"data: {{train: {train!r}}}\nmodel: [flatten]\n" if resolved is None else SMALLEST.replace("photos", train)
    assert config(text).data.train == (resolved or f"/configs/{train}")


def test_paths_of_set_are_relative_to_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    document = overrides.override(source.parse(SMALLEST, "c.yaml"), ["data.test=mine"])
    data = bind(document, Path("/configs/c.yaml")).data
    assert (data.train, data.test) == ("/configs/photos", str(tmp_path / "mine"))


@pytest.mark.parametrize(
    ("stem", "name"), [("cats", "cats"), ("1e3", "1e3"), ("a b", "a-b"), ("..x", "x"), ("é", "config"), ("", "config")]
)
def test_the_name_comes_from_the_file(stem, name):
    loaded = bind(source.parse(SMALLEST, "c.yaml"), Path(f"/configs/{stem}.yaml") if stem else Path("/"))
    assert loaded.config.name == name


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("seed: true", "expected a whole number"),
        ("seed: '3'", "expected a whole number"),
        ("seed: 1.0", "expected a whole number"),
        ("seed: -1", "expected a number of at least 0"),
        ("seed: 2147483648", "expected a number below 2,147,483,648"),
        ("classes: 1", "expected a number of at least 2"),
        ("name: 12", "expected text"),
        ("name: ../up", "expected letters, digits, -, _ and . alone, not beginning with - or ."),
        ("name: .hidden", "expected letters, digits, -, _ and . alone, not beginning with - or ."),
        ('name: "a\\n"', "expected letters, digits, -, _ and . alone, not beginning with - or ."),
        ("output: relu", "expected softmax, sigmoid or multi_label"),
        ("deterministic: yes", "expected auto, true or false"),
        ("deterministic: 1", "expected auto, true or false"),
        ("augment: random_flip", "expected a list"),
        ("augment: [random_rotation: {factor: 1.5}]", "expected a number up to 1, or [lower, upper] within -1 to 1"),
        ("augment: [random_rotation: {factor: [1, 0]}]", "expected a number up to 1, or [lower, upper] within -1 to 1"),
        ("augment: [random_rotation: {factor: .nan}]", "expected a number up to 1, or [lower, upper] within -1 to 1"),
        ("augment: [random_rotation: {factor: yes}]", "expected a number up to 1, or [lower, upper] within -1 to 1"),
        (
            "augment: [random_zoom: {height_factor: 5}]",
            "expected a number up to 0.99, or [lower, upper] within -0.99 to 10",
        ),
        (
            "augment: [random_zoom: {height_factor: 0.1, width_factor: [0]}]",
            "expected a number up to 0.99, or [lower, upper] within -0.99 to 10",
        ),
        ("augment: [random_flop]", "there is no augmentation called random_flop"),
        ("train: 3", "expected keys and values"),
        ("train: {epochs: 0}", "expected a number of at least 1"),
        ("train: {epochs: 1e9}", "expected a whole number"),
        ("train: {epochs: 1000000}", "expected a number of at most 100,000"),
        ("train: {optimizer: adagrad}", "there is no optimizer called adagrad"),
        ("train: {optimizer: {learning_rate: 1}}", "there is no optimizer called learning_rate"),
        ("train: {optimizer: 3}", "expected the name of one optimizer, alone or with its settings"),
        ("train: {optimizer: {adam: {learning_rate: '0,1'}}}", "expected a number"),
        ("train: {optimizer: {adam: {learning_rate: 0}}}", "expected a number above 0"),
        ("train: {optimizer: {adam: {learning_rate: .inf}}}", "expected a number"),
        ("train: {optimizer: {sgd: {nesterov: yes}}}", "expected true or false"),
        ("train: {best: loss}", "expected val_loss or val_accuracy"),
        ("train: {early_stopping: yes}", "expected keys and values"),
    ],
)
def test_wrong_values_are_refused(where, message):
    found = problem(with_model("flatten", rest=where + "\n"))
    assert found.message == message
    assert (found.position.line, found.exit_code) == (2, EXIT_CONFIG)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("train: ''", "expected some text"),
        ("train: 7", "expected text"),
        ("validation: 1", "expected a share of the images from 0 to below 1, or a path"),
        ("test: -0.1", "expected a share of the images from 0 to below 1, or a path"),
        ("test: true", "expected a share of the images from 0 to below 1, or a path"),
        ("test: .nan", "expected a share of the images from 0 to below 1, or a path"),
        ("test: ''", "expected a share of the images such as 0.2, or a path"),
        ("validation: 0.5, test: 0.5", "validation and test together leave no image to train on"),
        ("image: {size: 0}", "expected size to be a whole number from 1 to 8192"),
        ("image: {size: 8193}", "expected size to be a whole number from 1 to 8192"),
        ("image: {size: 8, height: 8}", "size sets height and width: do not set them as well"),
        ("image: {height: 8193}", "expected a number of at most 8,192"),
        ("image: {channels: 4}", "expected 1 or 3"),
        ("image: {channels: true}", "expected 1 or 3"),
        ("image: {channels: 3.0}", "expected 1 or 3"),
        ("image: {background: [0, 0]}", "expected [red, green, blue], each from 0 to 255"),
        ("image: {background: [0, 0, 256]}", "expected [red, green, blue], each from 0 to 255"),
        ("max_bad_images: 2", "expected a number of at most 1"),
        ("csv: none", "expected keys and values"),
    ],
)
def test_wrong_data_settings_are_refused(settings, message):
    train = "" if settings.startswith("train") else "train: photos, "
    assert problem(f"data: {{{train}{settings}}}\nmodel: [flatten]\n").message == message


PAIR = "expected a whole number of at least 1, or two of them: [height, width]"
PADDING = "expected valid, same, a whole number of pixels, or [[top, bottom], [left, right]]"
UNEQUAL = "a depthwise convolution has the same stride in both directions"
DILATED = "strides above 1 cannot be combined with a dilation_rate above 1"
POOL = "pooling takes valid or same: padding with zeros would change what it computes"
KERNEL = "kernel_size: 3"


@pytest.mark.parametrize(
    ("item", "key", "message"),
    [
        (f"conv2d: {{filters: true, {KERNEL}}}", "conv2d.filters", "expected a whole number"),
        (f'conv2d: {{filters: "3", {KERNEL}}}', "conv2d.filters", "expected a whole number"),
        (f"conv2d: {{filters: 1.5, {KERNEL}}}", "conv2d.filters", "expected a whole number"),
        (f"conv2d: {{filters: 0, {KERNEL}}}", "conv2d.filters", "expected a number of at least 1"),
        ("conv2d: {filters: 3, kernel_size: true}", "conv2d.kernel_size", PAIR),
        ('conv2d: {filters: 3, kernel_size: "3"}', "conv2d.kernel_size", PAIR),
        ("conv2d: {filters: 3, kernel_size: 1.5}", "conv2d.kernel_size", PAIR),
        ("conv2d: {filters: 3, kernel_size: 0}", "conv2d.kernel_size", PAIR),
        ("conv2d: {filters: 3, kernel_size: [3]}", "conv2d.kernel_size", PAIR),
        ("conv2d: {filters: 3, kernel_size: [3, true]}", "conv2d.kernel_size", PAIR),
        ("conv2d: {filters: 3, kernel_size: 100001}", "conv2d.kernel_size", PAIR),
        (f"conv2d: {{filters: 3, {KERNEL}, padding: full}}", "conv2d.padding", PADDING),
        (f"conv2d: {{filters: 3, {KERNEL}, padding: -1}}", "conv2d.padding", PADDING),
        (f"conv2d: {{filters: 3, {KERNEL}, padding: true}}", "conv2d.padding", PADDING),
        (f"conv2d: {{filters: 3, {KERNEL}, padding: [1, 1]}}", "conv2d.padding", PADDING),
        (f"conv2d: {{filters: 3, {KERNEL}, strides: 2, dilation_rate: 2}}", "conv2d.dilation_rate", DILATED),
        (f"conv2d: {{filters: 3, {KERNEL}, strides: [1, 2], dilation_rate: [3, 1]}}", "conv2d.dilation_rate", DILATED),
        (f"conv2d: {{filters: 3, {KERNEL}, use_bias: 1}}", "conv2d.use_bias", "expected true or false"),
        (f"depthwise_conv2d: {{{KERNEL}, strides: [1, 2]}}", "depthwise_conv2d.strides", UNEQUAL),
        (f"separable_conv2d: {{filters: 2, {KERNEL}, strides: [2, 1]}}", "separable_conv2d.strides", UNEQUAL),
        ("max_pooling2d: {pool_size: 2, padding: 1}", "max_pooling2d.padding", POOL),
        ("average_pooling2d: {pool_size: 2, padding: wide}", "average_pooling2d.padding", "expected valid or same"),
        ("l2_pooling2d: {pool_size: 2, strides: 0}", "l2_pooling2d.strides", PAIR),
        (
            "zero_padding2d: {padding: same}",
            "zero_padding2d.padding",
            "expected a whole number of pixels, or [[top, bottom], [left, right]]",
        ),
        ("dropout: {rate: 1}", "dropout.rate", "expected a number below 1"),
        ("dropout: {rate: -0.1}", "dropout.rate", "expected a number of at least 0"),
        ("leaky_relu: {negative_slope: .inf}", "leaky_relu.negative_slope", "expected a number"),
        ("batch_normalization: {momentum: 1}", "batch_normalization.momentum", "expected a number below 1"),
        ("flatten: []", "flatten", "expected keys and values"),
        ("repeat: {times: 0, layers: [flatten]}", "repeat.times", "expected a number of at least 1"),
        ("repeat: {times: 2, layers: []}", "repeat.layers", "expected at least one item"),
        ("repeat: {times: 2, layers: [flatten, bogus]}", "repeat.layers[1]", "there is no layer called bogus"),
    ],
)
def test_wrong_settings_of_a_layer_are_refused(item, key, message):
    found = problem(with_model("flatten", item))
    assert (found.path, found.message) == (f"model[1].{key}", message)
    assert found.position.line == 4


@pytest.mark.parametrize(
    "item", ["backbone", "backbone: {}", "backbone: {application: none}", "backbone: {trainable: true}"]
)
def test_a_backbone_is_an_application_or_a_file(item):
    (found,) = problems(with_model(item))
    assert (found.path, found.message) == ("model[0].backbone", "expected either application or file")
    (found,) = problems(with_model("backbone: {application: MobileNetV2, file: x.keras, weights: none}"))
    assert found.message == "expected either application or file"


def test_a_file_has_its_own_weights():
    for weights in ("", ", weights: none", ", weights: null"):
        (layer,) = layers(f"backbone: {{file: x.keras{weights}}}")
        assert (layer.application, layer.file, layer.weights, layer.trainable) == (
            None,
            "/configs/x.keras",
            None,
            False,
        )
    (found,) = problems(with_model("backbone: {file: x.keras, weights: imagenet}"))
    assert found.message == "a file has its own weights: remove weights"


def test_the_weights_of_a_backbone_are_a_word_or_a_path():
    (layer,) = layers("backbone: {application: ResNet50V2}")
    assert (layer.weights, layer.file) == ("imagenet", None)
    (layer,) = layers("backbone: {application: ResNet50V2, weights: w/x.h5, trainable: true}")
    assert (layer.weights, layer.trainable) == ("/configs/w/x.h5", True)
    assert layers("backbone: {application: ResNet50V2, weights: none}")[0].weights is None
    (found,) = problems(with_model("backbone: {application: ResNet50V3}"))
    assert (found.path, found.hint) == ("model[0].backbone.application", "did you mean ResNet50V2?")


@pytest.mark.parametrize("kind", [kind for kind in EVERY_LAYER if kind != "backbone"])
def test_a_bare_name_is_a_layer_or_says_which_keys_it_lacks(kind):
    required = [name for name, field in LAYERS[kind].model_fields.items() if field.is_required()]
    for bare in (kind, f"{kind}:", f"{kind}: {{}}"):
        if kind in BARE:
            assert layers(bare) == (LAYERS[kind](),)
            continue
        found = problems(with_model(bare))
        assert [(p.path, p.message) for p in found] == [
            (f"model[0].{kind}.{name}", "a required key is missing") for name in required
        ]
        assert all(p.hint.startswith(f"add it: {name}: ") for p, name in zip(found, required, strict=True))


@pytest.mark.parametrize("kind", [kind for kind in EVERY_LAYER if kind != "backbone"])
def test_a_layer_with_the_settings_of_its_hints_is_right(kind):
    hints = [p.hint.removeprefix("add it: ") for p in problems(with_model(kind))]
    assert layers(f"{kind}: {{{', '.join(hints)}}}")[0].kind == kind


@pytest.mark.parametrize(
    ("text", "path", "hint"),
    [
        (with_model("flatten", rest="sead: 1\n"), "sead", "did you mean seed?"),
        (
            with_model("flatten", rest="foo: 1\n"),
            "foo",
            "the keys here are name, seed, deterministic, classes, output, data, augment, model, test_time, "
            "budget, train, extends",
        ),
        (with_model("flatten", rest="train: {epoch: 1}\n"), "train.epoch", "did you mean epochs?"),
        (with_model("dense: {units: 1, Units: 2}"), "model[0].dense.Units", "did you mean units?"),
        (
            with_model("dense: {units: 1, kernel_regularizer: {l3: 1}}"),
            "model[0].dense.kernel_regularizer.l3",
            "the keys here are l1, l2",
        ),
        (with_model("conv2d: {filters: 1, kernel_size: 3, group: 1}"), "model[0].conv2d.group", "did you mean groups?"),
        (with_model("flatten: {x: 1}"), "model[0].flatten.x", None),
        (with_model("Conv2D"), "model[0]", "did you mean conv2d?"),
        (with_model("maxpooling2d: {pool_size: 2}"), "model[0]", "did you mean max_pooling2d?"),
        (with_model("max-pooling-2d"), "model[0]", "did you mean max_pooling2d?"),
        (with_model("xyz"), "model[0]", "layers are " + ", ".join(LAYERS)),
        (with_model("flatten", rest="train: {optimizer: Adam}\n"), "train.optimizer", "did you mean adam?"),
        (
            with_model("flatten", rest="train: {optimizer: x}\n"),
            "train.optimizer",
            "optimizers are adam, adamw, sgd, rmsprop",
        ),
        (with_model("flatten", rest="output: sigmod\n"), "output", "did you mean sigmoid?"),
    ],
)
def test_unknown_words_come_with_a_suggestion(text, path, hint):
    found = problem(text)
    assert (found.path, found.hint) == (path, hint)


OUTPUTS = {
    "sigmoid": ("sigmoid", True),
    "{activation: sigmoid}": ("sigmoid", True),
    "{use_bias: false}": ("softmax", False),
    "{activation: sigmoid, use_bias: false}": ("sigmoid", False),
    "{}": ("softmax", True),
    "multi_label": ("sigmoid", True),
    "{multi_label: {precision: 0.9}, use_bias: false}": ("sigmoid", False),
    "{multi_label: none}": ("softmax", True),
}


@pytest.mark.parametrize(("text", "expected"), OUTPUTS.items())
def test_both_forms_of_the_output(text, expected):
    found = config(with_model("flatten", rest=f"output: {text}\n"))
    assert (found.output.activation, found.output.use_bias) == expected
    assert config(to_yaml(found)) == found


@pytest.mark.parametrize(
    ("text", "path", "message"),
    [
        ("relu", "output", "expected softmax, sigmoid or multi_label"),
        ("3", "output", "expected softmax, sigmoid or multi_label"),
        ("[sigmoid]", "output", "expected softmax, sigmoid or multi_label"),
        ("{activation: relu}", "output.activation", "expected softmax or sigmoid"),
        ("{bias: false}", "output.bias", "there is no such key"),
        ("{use_bias: 1}", "output.use_bias", "expected true or false"),
        ("{multi_label: {precision: 0}}", "output.multi_label.precision", "expected a number above 0"),
        ("{multi_label: {recall: 1}}", "output.multi_label.recall", "there is no such key"),
        (
            "{activation: softmax, multi_label: {}}",
            "output",
            "softmax gives an image one label: multi_label is sigmoid",
        ),
    ],
)
def test_an_output_that_there_is_not(text, path, message):
    found = problem(with_model("flatten", rest=f"output: {text}\n"))
    assert (found.path, found.message) == (path, message)
    assert found.hint == ("did you mean use_bias?" if path == "output.bias" else found.hint)


def test_a_key_of_the_output_is_set_beside_its_short_form():
    document = source.parse("output: sigmoid\n", "c.yaml")
    found = overrides.override(document, ["output.use_bias=false"])
    assert found.data == {"output": {"activation": "sigmoid", "use_bias": False}}
    assert overrides.override(document, ["output=softmax"]).data == {"output": "softmax"}


WHITENINGS = {
    "whitening": 0.0005,
    "{whitening: {epsilon: 0.25}}": 0.25,
    "{whitening: {}}": 0.0005,
    "{whitening: }": 0.0005,
}


@pytest.mark.parametrize(("text", "epsilon"), WHITENINGS.items())
def test_both_forms_of_whitening(text, epsilon):
    found = config(with_model(f"conv2d: {{filters: 6, kernel_size: 2, kernel_initializer: {text}}}", "flatten"))
    assert found.model[0].kernel_initializer == Whitening(epsilon=epsilon)
    assert found.model[0].keras_arguments()["kernel_initializer"] == "glorot_uniform"
    assert config(to_yaml(found)) == found


@pytest.mark.parametrize(
    ("text", "path", "message"),
    [
        ("whiten", "", "expected zeros, ones, .* orthogonal, dirac or whitening"),
        ("3", "", "expected zeros, ones, .* orthogonal, dirac or whitening"),
        ("[dirac]", "", "expected zeros, ones, .* orthogonal, dirac or whitening"),
        ("{dirac: {}}", "", "expected the name of an initializer, or .whitening: .epsilon: 0.0005.."),
        ("{whitening: 3}", ".whitening", "expected keys and values"),
        ("{whitening: {eps: 3}}", ".whitening.eps", "there is no such key"),
        ("{whitening: {epsilon: 0}}", ".whitening.epsilon", "expected a number above 0"),
        ("{whitening: {}, dirac: {}}", ".dirac", "there is no such key"),
    ],
)
def test_an_initializer_that_there_is_not(text, path, message):
    found = problem(with_model(f"conv2d: {{filters: 6, kernel_size: 2, kernel_initializer: {text}}}", "flatten"))
    assert found.path == f"model[0].conv2d.kernel_initializer{path}"
    assert re.fullmatch(message, found.message)


def test_only_conv2d_begins_with_dirac_or_whitening():
    for word in ("dirac", "whitening"):
        found = problem(with_model("flatten", f"dense: {{units: 3, kernel_initializer: {word}}}"))
        assert found.path == "model[1].dense.kernel_initializer"
        found = problem(with_model(f"depthwise_conv2d: {{kernel_size: 3, depthwise_initializer: {word}}}", "flatten"))
        assert found.path == "model[0].depthwise_conv2d.depthwise_initializer"


@pytest.mark.parametrize(("text", "right"), [("0.5", 0.5), ("2", 2.0), ("[1, 0.5, -1]", (1.0, 0.5, -1.0))])
def test_the_numbers_of_a_rescaling(text, right):
    found = config(with_model(f"rescaling: {{scale: {text}, offset: {text}}}", "flatten"))
    assert (found.model[0].scale, found.model[0].offset) == (right, right)
    assert config(to_yaml(found)) == found


@pytest.mark.parametrize("text", ["a", "true", "[]", "[1, [2]]", "2.0e+6", ".inf", ".nan", "none", "{}"])
def test_what_is_no_number_of_a_rescaling(text):
    found = problem(with_model(f"rescaling: {{scale: {text}}}", "flatten"))
    assert found.path == "model[0].rescaling.scale"
    assert found.message == "expected a number from -1,000,000 to 1,000,000, or a list of such numbers"


@pytest.mark.parametrize(
    ("rest", "right"),
    [
        ("classes: 2", True),
        ("classes: 3", False),
        ("", True),
    ],
)
def test_sigmoid_is_for_two_classes(rest, right):
    found = problems(with_model("flatten", rest=f"output: sigmoid\n{rest}\n"))
    assert [p.message for p in found] == ([] if right else ["output: sigmoid is for exactly two classes"])


@pytest.mark.parametrize(
    ("text", "weights"),
    [
        ("none", None),
        ("null", None),
        ("balanced", "balanced"),
        (
            "{no: 1, 1e3: 2, 007: 3, NA: 0.5, true: 4, ~: 0}",
            {"no": 1.0, "1e3": 2.0, "007": 3.0, "NA": 0.5, "true": 4.0, "~": 0.0},
        ),
    ],
)
def test_class_weights_keep_the_names_as_they_are_written(text, weights):
    assert config(with_model("flatten", rest=f"train: {{class_weight: {text}}}\n")).train.class_weight == weights


@pytest.mark.parametrize("text", ["{}", "[1, 2]", "yes", "{a: -1}", "{a: .inf}", "{a: .nan}", "{a: true}", "{a: '1'}"])
def test_wrong_class_weights_are_refused(text):
    found = problem(with_model("flatten", rest=f"train: {{class_weight: {text}}}\n"))
    assert found.path == "train.class_weight"
    assert found.message.startswith("expected none, balanced, or a weight of at least 0 for each class")


def test_a_config_cannot_be_changed():
    parsed = config(FULL)
    for section, key in [(parsed, "seed"), (parsed.data.image, "height"), (parsed.model[1], "pool_size")]:
        with pytest.raises(ValidationError, match="frozen"):
            setattr(section, key, 1)


def test_every_mistake_of_a_file_is_told_at_once_in_its_order(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(
        "sead: 1\n"
        "data: {image: {channels: 2, hight: 3}}\n"
        "augment: [random_flop, random_rotation]\n"
        "model:\n"
        "  - conv2d: {filters: x}\n"
        "  - pool\n"
        "  - repeat: {times: 1001, layers: [dense, {dropout: {rate: 2}}]}\n"
        "train:\n"
        "  epochs: 0\n"
        "  optimizer: {adam: {lr: 1}}\n"
        "  early_stopping: {patience: -1}\n"
    )
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert [f"{p.position.line}:{p.position.column} {p.path}" for p in caught.value.problems] == [
        "1:1 sead",
        "2:1 data.train",
        "2:16 data.image.channels",
        "2:29 data.image.hight",
        "3:11 augment[0]",
        "3:24 augment[1].random_rotation.factor",
        "5:5 model[0].conv2d.kernel_size",
        "5:14 model[0].conv2d.filters",
        "6:5 model[1]",
        "7:14 model[2].repeat.times",
        "7:36 model[2].repeat.layers[0].dense.units",
        "7:54 model[2].repeat.layers[1].dropout.rate",
        "9:3 train.epochs",
        "10:22 train.optimizer.adam.lr",
        "11:20 train.early_stopping.patience",
    ]


def test_what_is_right_is_kept_beside_the_mistakes():
    text = with_model(*[layer_item(kind, EVERY_LAYER[kind]) for kind in ("conv2d", "flatten")], "bogus", "flatten")
    loaded = bind(source.parse(text, "c.yaml"), Path("/configs/c.yaml"))
    assert loaded.config is None
    assert [layer.kind for layer in loaded.layers] == ["conv2d", "flatten"]
    assert loaded.data.train == "/configs/photos"
    assert bind(source.parse("model: [flatten]", "c.yaml"), Path("/c.yaml")).data is None
