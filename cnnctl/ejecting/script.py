"""A config and what its data says -> the text of the script, and what Keras cannot say of the config."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from cnnctl.config import Config
from cnnctl.data.augment import mixes
from cnnctl.ejecting import fitting
from cnnctl.ejecting.network import L2_POOLING, model_lines, uses_l2_pooling
from cnnctl.ejecting.reading import Reader
from cnnctl.ejecting.source import STEP, Node, array, call, comment, lines, literal, mapping, opened, text
from cnnctl.ejecting.variations import augmentation_lines, variation_warnings
from cnnctl.formatting import size
from cnnctl.version import __version__

_MUCH_MEMORY = 10**9
_FLOAT32 = ("auto", "float32")


@dataclass(frozen=True)
class Beginning:
    """Weights to begin with: a .keras file, and whether the output layer's are taken too."""

    path: Path
    takes_output: bool


@dataclass(frozen=True)
class Facts:
    """What the script is written from.

    Attributes:
        name: Of the config: letters, digits, `-`, `_` and `.` alone.
        config: The config, its paths absolute and its network possible.
        classes: The class names in label order.
        counts: Images by split: train, and validation and test where there are any.
        statistics: Mean and deviation of each channel of the training images; None where scaling takes none.
        reader: How the script reads images.
        start: Where the weights begin; None for random ones.
        is_utf8: Whether all file names are UTF-8 text.
        left_out: Images that cannot be decoded, which are in no split.
    """

    name: str
    config: Config
    classes: tuple[str, ...]
    counts: Mapping[str, int]
    statistics: tuple[tuple[float, ...], tuple[float, ...]] | None
    reader: Reader
    start: Beginning | None = None
    is_utf8: bool = True
    left_out: int = 0

    @property
    def mixed_precision(self) -> bool:
        """Whether it trains under a policy of 16 bits."""
        return self.config.train.precision not in _FLOAT32


@dataclass(frozen=True)
class Script:
    """Python source, and what it does otherwise than the config says: sentences that are in the source too."""

    text: str
    warnings: tuple[str, ...]


def compose(facts: Facts, split: str) -> Script:
    """The script.

    Args:
        facts: What it is for.
        split: Name of the CSV beside it: path (from the script's folder, or absolute), label, split.
    """
    warnings = tuple(_warnings(facts))
    parts = [*_functions(facts), _main(facts)]
    top = [*_docstring(facts), *_warning_lines(warnings), "", *_imports(facts), "", *_constants(facts, split)]
    body = "".join("\n\n" + "\n".join(part).rstrip("\n") + "\n" for part in parts)
    return Script("\n".join(top) + "\n" + body + '\n\nif __name__ == "__main__":\n    main()\n', warnings)


def _docstring(facts: Facts) -> list[str]:
    return [
        f'"""Train the image classifier {facts.name} with Keras.',
        "",
        f"Written by cnnctl {__version__} for people who go on without it: every line can be changed.",
        "It needs keras, tensorflow, numpy and opencv-python-headless.",
        "",
        "The network, the images of each split and the settings are the config's. Only the random",
        "numbers come in another order than in cnnctl, so that results differ a little.",
        '"""',
    ]


def _warning_lines(warnings: tuple[str, ...]) -> list[str]:
    if not warnings:
        return []
    found = [line for warning in warnings for line in comment(warning, first="- ", rest="  ")]
    return ["", "# What is different here from the config:", *found]


def _warnings(facts: Facts) -> Iterator[str]:
    config, train = facts.config, facts.config.train
    yield from variation_warnings(config.augment)
    if train.class_weight is not None and mixes(config.augment):
        yield "class_weight: Keras weighs a mixed image by its larger share, cnnctl by all of them"
    if train.precision == "auto":
        yield (
            "precision: auto is float32 here, where cnnctl takes 16 bits on machines that are quicker with them; "
            "eject with --set train.precision=mixed_bfloat16 for those"
        )
    if config.deterministic == "auto":
        yield (
            "deterministic: auto is off here, where cnnctl has it on for a processor; eject with --set "
            "deterministic=true for equal runs, whose images are varied one batch after the other"
        )
    elif config.deterministic and train.backend == "jax":
        yield "deterministic: tf.data makes the batches here, in an order of its own where it runs in parallel"
    if train.backend == "jax":
        yield "backend: jax trains, and tf.data makes the batches: TensorFlow must be installed too"
    if config.data.train == "digits":
        yield "data.train: the built-in digits lie in cnnctl's cache folder; keep it, or copy them"
    if facts.left_out:
        yield f"data.on_bad_image: {facts.left_out:,} image(s) that cannot be decoded are left out of the split"
    if facts.reader.differs:
        count, one = len(facts.reader.differs), facts.reader.differs[0]
        yield f"data: {count:,} image(s) are read to other pixels than by cnnctl, such as {one}; save them as plain PNG"
    image = config.data.image
    needed = sum(facts.counts.values()) * image.height * image.width * image.channels
    if needed > _MUCH_MEMORY:
        yield f"data.cache: all images are held in memory, the training images twice: {size(needed)} and more"


def _imports(facts: Facts) -> list[str]:
    train = facts.config.train
    settings: dict[str, str] = {} if train.backend == "auto" else {"KERAS_BACKEND": train.backend}
    if train.backend == "jax" and train.device != "auto":
        settings["JAX_PLATFORMS"] = {"cpu": "cpu", "gpu": "cuda"}[train.device]
    return [
        "import csv",
        *(["import os"] if settings else []),
        "from concurrent.futures import ThreadPoolExecutor",
        "from pathlib import Path",
        "",
        *(f"os.environ[{text(key)}] = {text(value)}" for key, value in settings.items()),
        *([""] if settings else []),
        "import cv2",
        "import keras",
        "import numpy as np",
        "import tensorflow as tf",
        "from keras import layers",
    ]


def _constants(facts: Facts, split: str) -> list[str]:
    config, train, image = facts.config, facts.config.train, facts.config.data.image
    found = [
        "HERE = Path(__file__).parent",
        f"SPLIT = HERE / {text(split)}  # path, label and split of every image",
        f"WEIGHTS = HERE / {text(facts.name + '.weights.h5')}  # of the best epoch",
        f"MODEL = HERE / {text(facts.name + '.keras')}",
        *lines(array([text(name) for name in facts.classes]), 0, "CLASSES = "),
        f"HEIGHT, WIDTH, CHANNELS = {image.height}, {image.width}, {image.channels}",
    ]
    if facts.reader.needs_background:
        found.append(f"BACKGROUND = {literal(image.background)}  # red, green, blue")
    if facts.statistics is not None:
        for name, values in zip(("MEAN", "DEVIATION"), facts.statistics, strict=True):
            found.append(f"{name} = [{', '.join(literal(round(one, 4)) for one in values)}]")
        found[-1] += "  # of each channel of the training images"
    found += [
        f"SEED = {config.seed}",
        f"EPOCHS = {train.epochs}",
        f"BATCH_SIZE = {train.batch_size}",
        f"LEARNING_RATE = {literal(train.optimizer.learning_rate)}",
    ]
    if isinstance(train.class_weight, dict):
        weights: dict[str, Node] = {text(name): literal(train.class_weight.get(name, 1.0)) for name in facts.classes}
        found += lines(mapping(weights), 0, "CLASS_WEIGHT = ")
    return found


def _functions(facts: Facts) -> Iterator[list[str]]:
    config = facts.config
    yield facts.reader.source.splitlines()
    yield _load_images(facts)
    if config.augment:
        yield augmentation_lines(config)
    yield _batches(config)
    if uses_l2_pooling(config.model):
        yield L2_POOLING.splitlines()
    yield model_lines(config, facts.statistics is not None, facts.mixed_precision)
    own_schedule = fitting.schedule_class(config.train)
    if own_schedule is not None:
        yield own_schedule.splitlines()
    if fitting.needs_same_side(config):
        yield fitting.SAME_SIDE.splitlines()


def _load_images(facts: Facts) -> list[str]:
    form = fitting.label_form(facts.config)
    described = {
        "number": "their class numbers",
        "one_hot": "their classes, one-hot",
        "positive": "1 for the second class",
    }
    errors = "" if facts.is_utf8 else ', errors="surrogateescape"'
    found = [
        "def load_images(split):",
        f'    """The images of a split, uint8 (N, HEIGHT, WIDTH, CHANNELS); {described[form]}."""',
        f'    with SPLIT.open(encoding="utf-8", newline=""{errors}) as file:',
        '        rows = [row for row in csv.DictReader(file) if row["split"] == split]',
        "    images = np.empty((len(rows), HEIGHT, WIDTH, CHANNELS), np.uint8)",
        '    paths = [HERE / row["path"] for row in rows]',
        "    with ThreadPoolExecutor() as pool:",
        "        for number, image in enumerate(pool.map(read_image, paths)):",
        "            images[number] = image",
        '    labels = np.array([CLASSES.index(row["label"]) for row in rows])',
    ]
    match form:
        case "one_hot":
            found.append("    return images, keras.utils.to_categorical(labels, len(CLASSES))")
        case "positive":
            found.append("    return images, labels[:, np.newaxis].astype(np.float32)")
        case _:
            found.append("    return images, labels")
    return found


def _batches(config: Config) -> list[str]:
    if not config.augment:
        return [
            "def batches(images, labels, shuffle=False):",
            '    """The images in batches, in a new order in each epoch where they are shuffled."""',
            "    data = tf.data.Dataset.from_tensor_slices((images, labels))",
            "    if shuffle:",
            "        data = data.shuffle(len(images), seed=SEED)",
            "    return data.batch(BATCH_SIZE).prefetch(2)",
        ]
    if mixes(config.augment):
        vary = [
            '        whole = {"images": tf.cast(images, tf.float32), "labels": labels}',
            "        varied = augmentation(whole, training=True)",
            '        pixels = tf.saturate_cast(tf.round(varied["images"]), tf.uint8)',
            '        return pixels, varied["labels"]',
        ]
    else:
        vary = [
            "        varied = augmentation(tf.cast(images, tf.float32), training=True)",
            "        return tf.saturate_cast(tf.round(varied), tf.uint8), labels",
        ]
    return [
        "def batches(images, labels, augmentation=None):",
        '    """The images in batches; with an augmentation varied, and in a new order, each epoch."""',
        "    data = tf.data.Dataset.from_tensor_slices((images, labels))",
        "    if augmentation is None:",
        "        return data.batch(BATCH_SIZE).prefetch(2)",
        "",
        "    def vary(images, labels):",
        *vary,
        "",
        "    data = data.shuffle(len(images), seed=SEED).batch(BATCH_SIZE)",
        "    return data.map(vary, num_parallel_calls=tf.data.AUTOTUNE).prefetch(2)",
    ]


def _main(facts: Facts) -> list[str]:
    config, train = facts.config, facts.config.train
    validates = "validation" in facts.counts
    judged = next(split for split in ("test", "validation", "train") if split in facts.counts)
    varied = "build_augmentation()" if config.augment else "shuffle=True"
    found = ["def main():", *_machine(config), "    keras.utils.set_random_seed(SEED)"]
    found.append("    WEIGHTS.unlink(missing_ok=True)")
    found += ['    images, labels = load_images("train")', f"    training = batches(images, labels, {varied})"]
    if validates:
        found.append('    validation = batches(*load_images("validation"))')
    found += fitting.class_weight_lines(config)
    if facts.mixed_precision:
        found.append(f"    keras.config.set_dtype_policy({literal(train.precision)})")
    found += ["    model = build_model()", *_begin(facts.start), "    model.summary()", ""]
    rate = fitting.learning_rate(train)
    if rate != fitting.PLAIN_RATE:
        found += lines(rate, STEP, "learning_rate = ")
        rate = "learning_rate"
    given: dict[str, Node] = {
        "optimizer": fitting.optimizer(train, rate),
        "loss": fitting.loss(config),
        "metrics": fitting.metrics(config),
    }
    if train.backend != "jax":
        found.append("    # XLA is slower than TensorFlow's own kernels on most processors.")
        given["jit_compile"] = "False"
    found += lines(opened(call("model.compile", **given)), STEP)
    given = {"epochs": "EPOCHS"}
    if validates:
        given["validation_data"] = "validation"
    if train.class_weight is not None:
        given["class_weight"] = "class_weight"
    given["shuffle"] = "False"
    given["callbacks"] = fitting.callbacks(train, validates)
    found.append("    # The batches are shuffled already.")
    found += [*lines(opened(call("model.fit", "training", **given)), STEP), ""]
    if facts.mixed_precision:
        found.append('    keras.config.set_dtype_policy("float32")')
    found += ["    best = build_model()", "    best.load_weights(WEIGHTS)"]
    found += lines(call("best.compile", loss=literal(fitting.plain_loss(config)), metrics='["accuracy"]'), STEP)
    found.append(f'    figures = best.evaluate(batches(*load_images("{judged}")), return_dict=True)')
    found.append(f'    print("{judged}:", {{name: round(value, 4) for name, value in figures.items()}})')
    found += ["    best.save(MODEL)", '    print("saved:", MODEL)']
    return found


def _machine(config: Config) -> Iterator[str]:
    """What must be said before TensorFlow begins."""
    train = config.train
    if train.backend == "jax":
        return
    if train.device == "cpu":
        yield '    tf.config.set_visible_devices([], "GPU")'
    elif train.device == "gpu":
        yield '    if not tf.config.list_physical_devices("GPU"):'
        yield '        raise SystemExit("this training is for a GPU, and TensorFlow finds none")'
    if config.deterministic is True:
        yield "    tf.config.experimental.enable_op_determinism()"


def _begin(start: Beginning | None) -> list[str]:
    """Weights of another network, layer by layer."""
    if start is None:
        return []
    part = "" if start.takes_output else "[:-1]"
    found = lines(call("keras.models.load_model", text(str(start.path))), STEP, "start = ")
    found.append("    theirs = [layer for layer in start.layers if layer.weights]")
    found.append("    ours = [layer for layer in model.layers if layer.weights]")
    if not start.takes_output:
        found.append("    # The output layer begins anew: its classes differ.")
    found.append(f"    for layer, other in zip(ours{part}, theirs{part}, strict=True):")
    found.append("        layer.set_weights(other.get_weights())")
    return found
