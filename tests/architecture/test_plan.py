import pytest

from cnnctl.architecture import LayerPlan
from cnnctl.architecture.planner import count_unrolled, unroll
from tests.architecture.build import CATS, plan
from tests.config.build import EVERY_LAYER, layer_item, layers


def row(item: str, shape: tuple[int, int, int] = (32, 32, 3)) -> LayerPlan:
    made = plan(item, shape=shape)
    assert made.problems == ()
    return made.layers[0]


def test_cats_and_dogs_with_one_sigmoid_unit():
    made = plan(*CATS, shape=(300, 300, 3), classes=2, output="sigmoid")
    assert [layer.output_shape for layer in made.layers] == [(296, 296, 10), (148, 148, 10), (219_040,), (1,)]
    assert (made.total_params, made.trainable_params, made.non_trainable_params) == (219_801, 219_801, 0)
    assert made.layers[-1].layer.activation == "sigmoid"
    assert made.layers[-1].path == ("output",)


def test_cats_and_dogs_with_two_softmax_units():
    assert plan(*CATS, shape=(300, 300, 3), classes=2).total_params == 438_842


WHITENS = "kernel_initializer: whitening}"
REFUSED = {
    "too many filters": (
        [f"conv2d: {{filters: 25, kernel_size: 2, {WHITENS}"],
        ("model", 0, "conv2d", "filters"),
        "whitening gives 24 filters of 2x2x3 values at most",
        "set filters to 24 (2 * 2 * 2 * 3) or fewer",
    ),
    "not the first": (
        ["batch_normalization", f"conv2d: {{filters: 24, kernel_size: 2, {WHITENS}"],
        ("model", 1, "conv2d", "kernel_initializer"),
        "whitening is for the first layer with weights",
        "choose another kernel_initializer",
    ),
    "repeated": (
        [f"repeat: {{times: 2, layers: [conv2d: {{filters: 2, kernel_size: 1, {WHITENS}]}}"],
        ("model", 0, "repeat", "layers", 0, "conv2d", "kernel_initializer"),
        "whitening is for the first layer with weights",
        "choose another kernel_initializer",
    ),
    "groups": (
        [f"conv2d: {{filters: 3, kernel_size: 2, groups: 3, {WHITENS}"],
        ("model", 0, "conv2d", "groups"),
        "whitening looks at all channels at once",
        "remove groups, or choose another kernel_initializer",
    ),
    "no whole patch": (
        [f"conv2d: {{filters: 3, kernel_size: 17, padding: same, dilation_rate: 2, {WHITENS}"],
        ("model", 0, "conv2d", "kernel_size"),
        "whitening needs images that a whole kernel fits into",
        "choose a smaller kernel, or make the images at least 33x33",
    ),
    "numbers of a rescaling": (
        ["rescaling: {scale: 2, offset: [1, 2]}"],
        ("model", 0, "rescaling", "offset"),
        "there must be a number for each channel",
        "give one number or one for each channel",
    ),
}


@pytest.mark.parametrize(("items", "path", "message", "hint"), REFUSED.values(), ids=REFUSED)
def test_what_a_layer_cannot_begin_with(items, path, message, hint):
    (only,) = plan(*items, "flatten").problems
    assert (only.path, only.message, only.hint) == (path, message, hint)


def test_whitening_may_come_after_layers_without_weights():
    before = ("rescaling: {scale: 2}", "zero_padding2d", "average_pooling2d: {pool_size: 2}", "dropout: {rate: 0.1}")
    made = plan(*before, f"conv2d: {{filters: 24, kernel_size: 2, trainable: false, {WHITENS}", "flatten")
    assert made.problems == ()
    row = made.layers[4]
    assert (row.trainable_params, row.non_trainable_params) == (0, 2 * 2 * 3 * 24 + 24)
    assert row.layer.settings_text() == "24 filters 2x2, stride 1, not trained, whitening"


def test_without_classes_there_is_no_output_layer():
    assert [layer.kind for layer in plan(*CATS).layers] == ["conv2d", "max_pooling2d", "flatten"]


@pytest.mark.parametrize(
    ("item", "shape", "output"),
    [
        ("conv2d: {filters: 10, kernel_size: 5}", (32, 32, 3), (28, 28, 10)),
        ("conv2d: {filters: 10, kernel_size: 3}", (32, 32, 3), (30, 30, 10)),
        ("conv2d: {filters: 12, kernel_size: 3, padding: same}", (32, 32, 3), (32, 32, 12)),
        ("max_pooling2d: {pool_size: 2, strides: 2}", (32, 32, 12), (16, 16, 12)),
        ("conv2d: {filters: 1, kernel_size: 3}", (6, 6, 1), (4, 4, 1)),
        ("average_pooling2d: {pool_size: 3, strides: 2}", (9, 8, 7), (4, 3, 7)),
        ("l2_pooling2d: {pool_size: 2, padding: same}", (9, 8, 7), (5, 4, 7)),
        ("conv2d: {filters: 2, kernel_size: 3, padding: [[1, 2], [0, 3]]}", (5, 5, 1), (6, 6, 2)),
        ("conv2d: {filters: 2, kernel_size: 3, dilation_rate: [1, 2]}", (9, 9, 1), (7, 5, 2)),
        ("depthwise_conv2d: {kernel_size: 3, depth_multiplier: 2}", (9, 9, 3), (7, 7, 6)),
        ("separable_conv2d: {kernel_size: 3, filters: 5, strides: 2}", (9, 9, 3), (4, 4, 5)),
        ("zero_padding2d: {padding: [[1, 2], [3, 4]]}", (5, 6, 1), (8, 13, 1)),
        ("global_average_pooling2d", (5, 6, 7), (7,)),
        ("global_max_pooling2d", (5, 6, 7), (7,)),
        ("flatten", (5, 6, 7), (210,)),
        ("batch_normalization", (5, 6, 7), (5, 6, 7)),
        ("dropout: {rate: 0.5}", (5, 6, 7), (5, 6, 7)),
    ],
)
def test_output_shapes_by_hand(item, shape, output):
    made = row(item, shape)
    assert (made.input_shape, made.output_shape) == (shape, output)


@pytest.mark.parametrize("kind", ["max_pooling2d", "average_pooling2d", "l2_pooling2d"])
@pytest.mark.parametrize("channels", [1, 3, 64])
def test_pooling_keeps_the_channels_and_has_no_parameters(kind, channels):
    made = row(f"{kind}: {{pool_size: [3, 2], strides: 2}}", (10, 10, channels))
    assert (made.output_shape, made.params, made.multiply_adds) == ((4, 5, channels), 0, 0)


@pytest.mark.parametrize(
    ("item", "shape", "trainable", "fixed", "multiply_adds"),
    [
        ("conv2d: {filters: 10, kernel_size: 5}", (32, 32, 3), 760, 0, 28 * 28 * 10 * 75),
        ("conv2d: {filters: 4, kernel_size: [1, 3], use_bias: false}", (5, 5, 2), 24, 0, 5 * 3 * 4 * 6),
        ("conv2d: {filters: 4, kernel_size: 3, groups: 2}", (5, 5, 6), 112, 0, 9 * 4 * 27),
        ("depthwise_conv2d: {kernel_size: 3, depth_multiplier: 2}", (5, 5, 4), 80, 0, 9 * 8 * 9),
        ("separable_conv2d: {kernel_size: 3, filters: 5}", (5, 5, 4), 36 + 20 + 5, 0, 9 * (36 + 20)),
        ("batch_normalization", (5, 5, 4), 8, 8, 0),
        ("batch_normalization: {scale: false}", (5, 5, 4), 4, 8, 0),
        ("layer_normalization", (5, 5, 4), 8, 0, 0),
        ("layer_normalization: {center: false, scale: false}", (5, 5, 4), 0, 0, 0),
        ("activation: {activation: relu}", (5, 5, 4), 0, 0, 0),
    ],
)
def test_parameters_and_multiply_adds_by_hand(item, shape, trainable, fixed, multiply_adds):
    made = row(item, shape)
    assert (made.trainable_params, made.non_trainable_params, made.params) == (trainable, fixed, trainable + fixed)
    assert made.multiply_adds == multiply_adds


def test_totals_are_sums_over_the_layers():
    kinds = [kind for kind in EVERY_LAYER if not kind.startswith("global") and kind != "backbone"]
    made = plan(*(layer_item(kind, EVERY_LAYER[kind]) for kind in kinds), classes=3)
    assert made.problems == ()
    assert made.total_params == sum(layer.params for layer in made.layers) == made.trainable_params + 2 * (4 + 8 + 8)
    assert made.multiply_adds == sum(layer.multiply_adds for layer in made.layers) > 0


def test_each_layer_takes_what_the_one_before_gives():
    made = plan(*CATS, "dense: {units: 4}", classes=3)
    assert made.layers[0].input_shape == made.input_shape
    for before, after in zip(made.layers, made.layers[1:], strict=False):
        assert after.input_shape == before.output_shape


def test_receptive_fields_by_hand():
    made = plan(
        "conv2d: {filters: 4, kernel_size: [3, 5]}",
        "batch_normalization",
        "max_pooling2d: {pool_size: 2}",
        "zero_padding2d",
        "conv2d: {filters: 4, kernel_size: 3, dilation_rate: 2}",
        "separable_conv2d: {filters: 4, kernel_size: 3, strides: 2}",
        "depthwise_conv2d: {kernel_size: 2}",
        "global_average_pooling2d",
        "dense: {units: 3}",
        shape=(64, 64, 3),
    )
    assert [layer.receptive_field for layer in made.layers] == [
        (3, 5),
        (3, 5),
        (4, 6),
        (4, 6),
        (12, 14),
        (16, 18),
        (20, 22),
        None,
        None,
    ]


def test_names_are_numbered_like_keras():
    conv = "conv2d: {filters: 4, kernel_size: 1}"
    made = plan(
        conv,
        "repeat: {times: 2, layers: [batch_normalization, dropout: {rate: 0.1}]}",
        conv,
        "flatten",
        "dense: {units: 2}",
        classes=2,
    )
    assert [layer.name for layer in made.layers] == [
        "conv2d",
        "batch_normalization",
        "dropout",
        "batch_normalization_1",
        "dropout_1",
        "conv2d_1",
        "flatten",
        "dense",
        "dense_1",
    ]


def test_repeats_are_written_out_with_their_places():
    model = layers(
        "repeat: {times: 2, layers: [flatten, repeat: {times: 3, layers: [batch_normalization]}]}", "flatten"
    )
    inner = ("model", 0, "repeat", "layers")
    once = [(*inner, 0), *[(*inner, 1, "repeat", "layers", 0)] * 3]
    assert [path for path, _ in unroll(model)] == [*once, *once, ("model", 1)]
    assert count_unrolled(model) == 9


def test_explicit_zeros_belong_to_the_convolution():
    made = row("conv2d: {filters: 1, kernel_size: 3, padding: [[1, 0], [2, 3]]}")
    assert made.zeros == ((1, 0), (2, 3))
    assert row("conv2d: {filters: 1, kernel_size: 3, padding: same}").zeros == ((0, 0), (0, 0))


@pytest.mark.parametrize(
    ("item", "shape", "lost"),
    [
        ("max_pooling2d: {pool_size: 2}", (5, 4, 1), (1, 0)),
        ("max_pooling2d: {pool_size: 2, padding: same}", (5, 5, 1), (0, 0)),
        ("conv2d: {filters: 1, kernel_size: 3, strides: 4}", (9, 10, 1), (2, 3)),
        ("conv2d: {filters: 1, kernel_size: 7, strides: 2, padding: 3}", (224, 224, 3), (0, 0)),
        ("conv2d: {filters: 1, kernel_size: 2, strides: 4, padding: [[0, 2], [0, 0]]}", (9, 9, 1), (0, 3)),
        ("conv2d: {filters: 1, kernel_size: 2, strides: 4, padding: [[1, 0], [1, 1]]}", (9, 9, 1), (0, 0)),
    ],
)
def test_lost_rows_are_rows_of_the_input_and_not_zeros(item, shape, lost):
    assert row(item, shape).lost == lost


def found(*items: str, shape=(8, 8, 3), classes: int | None = 3) -> list[tuple[str, str]]:
    made = plan(*items, shape=shape, classes=classes)
    return [(".".join(map(str, problem.path)), problem.message) for problem in made.problems]


FLAT = "needs rows and columns, but its input is already flat"
EMPTY = "the output would be empty"
VECTOR = "needs a vector, but its input still has rows and columns"


@pytest.mark.parametrize(
    ("items", "problems"),
    [
        (["max_pooling2d: {pool_size: 9}", "flatten"], [("model.0.max_pooling2d.pool_size", EMPTY)]),
        (["conv2d: {filters: 1, kernel_size: [1, 9]}", "flatten"], [("model.0.conv2d.kernel_size", EMPTY)]),
        (
            ["separable_conv2d: {filters: 1, kernel_size: 5, dilation_rate: 2}", "flatten"],
            [("model.0.separable_conv2d.kernel_size", EMPTY)],
        ),
        (["dense: {units: 2}", "flatten"], [("model.0", f"dense {VECTOR}")]),
        (["batch_normalization"], [("output", f"the output layer that is appended {VECTOR}")]),
        (["flatten", "conv2d: {filters: 1, kernel_size: 1}"], [("model.1", f"conv2d {FLAT}")]),
        (["global_max_pooling2d", "spatial_dropout2d: {rate: 0.5}"], [("model.1", f"spatial_dropout2d {FLAT}")]),
        (["flatten", "global_max_pooling2d"], [("model.1", f"global_max_pooling2d {FLAT}")]),
        (["flatten", "zero_padding2d"], [("model.1", f"zero_padding2d {FLAT}")]),
        (
            ["conv2d: {filters: 4, kernel_size: 3, groups: 2}", "flatten"],
            [("model.0.conv2d.groups", "groups must divide the channels of the input and the filters")],
        ),
        (
            ["conv2d: {filters: 4, kernel_size: 3, groups: 3}", "flatten"],
            [("model.0.conv2d.groups", "groups must divide the channels of the input and the filters")],
        ),
        (
            ["repeat: {times: 9, layers: [max_pooling2d: {pool_size: 9}]}", "flatten"],
            [("model.0.repeat.layers.0.max_pooling2d.pool_size", EMPTY)],
        ),
        (
            ["repeat: {times: 9, layers: [max_pooling2d: {pool_size: 2}]}", "flatten"],
            [("model.0.repeat.layers.0.max_pooling2d.pool_size", EMPTY)],
        ),
        (
            [
                "max_pooling2d: {pool_size: 9}",
                "dense: {units: 2}",
                "flatten",
                "l2_pooling2d: {pool_size: 1}",
            ],
            [
                ("model.0.max_pooling2d.pool_size", EMPTY),
                ("model.1", f"dense {VECTOR}"),
                ("model.3", f"l2_pooling2d {FLAT}"),
            ],
        ),
        (
            ["repeat: {times: 1000, layers: [repeat: {times: 1000, layers: [flatten]}]}"],
            [("model", "expected at most 2,000 layers")],
        ),
    ],
)
def test_every_impossible_layer_is_named(items, problems):
    assert found(*items) == problems


def test_a_missing_flatten_is_told_once_and_only_of_the_output():
    made = plan("conv2d: {filters: 4, kernel_size: 3}", classes=3)
    (problem,) = made.problems
    assert (problem.received, problem.hint) == (
        "input 30x30x4",
        "add `- flatten` or `- global_average_pooling2d` as the last layer",
    )


def test_an_impossible_layer_is_taken_as_absent():
    made = plan("conv2d: {filters: 4, kernel_size: 3}", "max_pooling2d: {pool_size: 99}", "flatten", classes=2)
    assert [layer.name for layer in made.layers] == ["conv2d", "flatten", "dense"]
    assert made.layers[1].input_shape == made.layers[0].output_shape


THREE = "filters: 2, kernel_size: 3"
TOO_DEEP = (
    "conv2d: {filters: 8, kernel_size: 5, activation: relu}",
    "max_pooling2d: {pool_size: 3}",
    "max_pooling2d: {pool_size: 3}",
    "max_pooling2d: {pool_size: 4}",
    "flatten",
)


def test_the_example_of_the_design():
    (problem,) = plan(*TOO_DEEP, classes=3).problems
    assert problem.path == ("model", 3, "max_pooling2d", "pool_size")
    assert problem.message == EMPTY
    assert problem.received == ("input 3x3, pool_size 4x4, strides 4x4, padding valid: floor((3 - 4) / 4) + 1 = 0")
    assert problem.hint == "remove this pooling, use padding: same, or make the images at least 40x40"


@pytest.mark.parametrize(
    ("items", "shape"),
    [
        (TOO_DEEP, (32, 32, 3)),
        (TOO_DEEP, (20, 64, 1)),
        (TOO_DEEP, (64, 7, 1)),
        (("conv2d: {filters: 1, kernel_size: [9, 2], dilation_rate: 3}", "flatten"), (8, 8, 3)),
        (
            (f"repeat: {{times: 6, layers: [conv2d: {{{THREE}}}, max_pooling2d: {{pool_size: 2}}]}}", "flatten"),
            (32, 48, 3),
        ),
        (
            (f"conv2d: {{{THREE}, strides: 3, padding: [[1, 0], [0, 2]]}}", "l2_pooling2d: {pool_size: 4}", "flatten"),
            (9, 3, 3),
        ),
    ],
)
def test_the_named_size_is_the_least_that_fits(items, shape):
    problem = plan(*items, shape=shape, classes=2).problems[-1]
    height, width = map(int, problem.hint.rsplit(" ", 1)[1].split("x"))

    def fits(high: int, wide: int) -> bool:
        return plan(*items, shape=(high, wide, shape[2]), classes=2).problems == ()

    assert fits(height, width)
    assert not fits(shape[0], shape[1])
    least_height = next(side for side in range(shape[0], 5000) if fits(side, 5000))
    least_width = next(side for side in range(shape[1], 5000) if fits(5000, side))
    assert (height, width) == (least_height, least_width)


def test_no_size_is_named_where_none_would_do():
    (problem,) = plan("conv2d: {filters: 1, kernel_size: 9000}", "flatten", classes=2).problems
    assert problem.hint == "remove this convolution, use padding: same"


def test_groups_name_the_largest_number_that_works():
    (problem,) = plan("conv2d: {filters: 8, kernel_size: 1, groups: 5}", shape=(4, 4, 12)).problems
    assert problem.received == "groups=5, 12 channels, filters=8"
    assert problem.hint == "the largest number that divides both, up to 5, is 4"


BACKBONE = "backbone: {application: MobileNetV3Small, weights: none}"


def test_a_backbone_must_be_first_and_is_never_repeated():
    for items in (("batch_normalization", BACKBONE), (BACKBONE, BACKBONE)):
        (problem,) = plan(*items, shape=(64, 64, 3)).problems
        assert (problem.path, problem.message) == (("model", 1), "a backbone must be the first layer")
    (problem,) = plan(f"repeat: {{times: 2, layers: [{BACKBONE}]}}", shape=(64, 64, 3)).problems
    assert problem.message == "a backbone cannot be repeated"


def test_a_backbone_takes_rgb_images_of_32_pixels_and_more():
    (problem,) = plan(BACKBONE, "flatten", shape=(64, 64, 1)).problems
    assert (problem.path, problem.hint) == (("data", "image", "channels"), "set data.image.channels to 3")
    (problem,) = plan(BACKBONE, "flatten", shape=(64, 20, 3)).problems
    assert (problem.received, problem.hint) == ("input 64x20x3", "make the images at least 64x32")


def test_the_layers_of_a_backbone_add_up_to_it():
    for trainable, trained in (("true", 927_008), ("false", 0)):
        made = plan(f"{BACKBONE[:-1]}, trainable: {trainable}}}", "global_average_pooling2d", shape=(96, 64, 3))
        row = made.layers[0]
        assert (row.name, row.kind, row.output_shape) == ("MobileNetV3Small", "backbone", (3, 2, 576))
        assert (row.params, row.trainable_params) == (939_120, trained)
        assert row.trainable_params == sum(one.trainable_params for one in row.inner)
        assert row.params == sum(one.params for one in row.inner)
        assert row.multiply_adds == sum(one.multiply_adds for one in row.inner)
        assert row.inner[0].inputs == ("image",)
        assert row.inner[-1].output_shape == row.output_shape
    assert made.backbone.graph.name == "MobileNetV3Small"
