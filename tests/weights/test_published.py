"""The table of networks says what Keras' own source says."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from cnnctl.errors import UsageError
from cnnctl.weights.published import NETWORKS, Network, network_of

KERAS = [network for network in NETWORKS.values() if network.file is not None]


def source() -> str:
    """Of every application, with the parts of texts joined."""
    spec = find_spec("keras")
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent / "src" / "applications"
    return "".join(file.read_text(encoding="utf-8") for file in sorted(folder.glob("*.py")))


@pytest.mark.parametrize("network", KERAS, ids=lambda one: one.name)
def test_addresses_and_hashes_are_those_of_keras(network: Network) -> None:
    text = source()
    assert f"def {network.name}(" in text
    assert f'"{network.folder}/"' in text
    assert network.md5 is None or f'"{network.md5}"' in text
    assert network.file is not None
    parts = {
        "MobileNetV2": ("mobilenet_v2_weights_tf_dim_ordering_tf_kernels_", "_no_top.h5"),
        "MobileNetV3Small": ("weights_mobilenet_v3_", "small_224_1.0_float", "_no_top_v2.h5"),
        "MobileNetV3Large": ("weights_mobilenet_v3_", "large_224_1.0_float", "_no_top_v2.h5"),
        "ResNet50V2": ("resnet50v2", "_weights_tf_dim_ordering_tf_kernels_notop.h5"),
        "DenseNet121": ("densenet121_weights_tf_dim_ordering_tf_kernels_notop.h5",),
        "EfficientNetB0": ("efficientnetb0", "_notop.h5"),
        "EfficientNetV2B0": ("efficientnetv2-b0", "_notop.h5"),
        "EfficientNetV2S": ("efficientnetv2-s", "_notop.h5"),
    }[network.name]
    rest = network.file
    for part in parts:
        assert part in text
        assert part in rest
        rest = rest.replace(part, "", 1)
    assert rest == ("1.0_224" if network.name == "MobileNetV2" else "")


def test_hashes_differ() -> None:
    hashes = [network.md5 for network in KERAS]
    assert hashes.count(None) == 1
    assert len(set(hashes)) == len(hashes) == 8


def test_an_unknown_name() -> None:
    assert network_of("MobileNetV2").name == "MobileNetV2"
    with pytest.raises(UsageError, match="no weights for mobilenetv2") as unknown:
        network_of("mobilenetv2")
    assert unknown.value.hint == "did you mean MobileNetV2?"
    with pytest.raises(UsageError) as unknown:
        network_of("x")
    assert all(name in str(unknown.value.hint) for name in NETWORKS)
