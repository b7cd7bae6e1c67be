"""What can be asked for, and what it takes."""

import json
import subprocess
import sys

import pytest

from cnnctl.errors import MachineError, UsageError
from cnnctl.exporting.export import parse_wish
from cnnctl.exporting.formats import FORMATS, LITERT, ONNX, OPENVINO, SAVEDMODEL, choose_format, insist_on_tools


def test_formats_have_names():
    assert [choose_format(form.name, None) for form in FORMATS] == [ONNX, LITERT, OPENVINO, SAVEDMODEL]
    assert choose_format("litert", "int8") == LITERT


@pytest.mark.parametrize(
    ("name", "quantization", "message", "hint"),
    [
        ("tflite", None, "there is no format tflite", "formats are onnx, litert, openvino, savedmodel"),
        ("onnx", "int4", "there is no quantization int4", "quantizations are float16 and int8"),
        ("savedmodel", "int4", "there is no quantization int4", "quantizations are float16 and int8"),
        (
            "savedmodel",
            "int8",
            "SavedModel has no int8 quantization",
            "leave --quantize out, or choose onnx, litert or openvino",
        ),
    ],
)
def test_what_there_is_not(name, quantization, message, hint):
    with pytest.raises(UsageError) as caught:
        choose_format(name, quantization)
    assert (caught.value.message, caught.value.hint) == (message, hint)


@pytest.mark.parametrize("quantization", [None, "float16"])
def test_only_int8_may_lose_accuracy(quantization):
    with pytest.raises(UsageError, match="--max-accuracy-drop belongs to --quantize int8"):
        parse_wish("onnx", quantization, None, 2.0)
    assert parse_wish("onnx", "int8", None, 2.0).max_drop == 2.0


@pytest.mark.parametrize(
    ("module", "form", "message", "hint"),
    [
        (
            "ai_edge_litert",
            LITERT,
            "LiteRT needs ai-edge-litert, which is not installed",
            "pip install '.[litert]' from a checkout of cnnctl",
        ),
        (
            "openvino",
            OPENVINO,
            "OpenVINO needs its package openvino, which is not installed",
            "pip install '.[openvino]' from a checkout of cnnctl",
        ),
        ("tensorflow", LITERT, "LiteRT needs TensorFlow, which is not installed", "pip install tensorflow"),
        ("tensorflow", SAVEDMODEL, "SavedModel needs TensorFlow, which is not installed", "pip install tensorflow"),
    ],
)
def test_a_missing_package_is_named(module, form, message, hint, monkeypatch):
    insist_on_tools(form)
    monkeypatch.setitem(sys.modules, module, None)
    insist_on_tools(ONNX)
    with pytest.raises(MachineError) as caught:
        insist_on_tools(form)
    assert (caught.value.message, caught.value.hint) == (message, f"install it with: {hint}")
    with pytest.raises(MachineError):
        parse_wish(form.name, None, None, None)


IMPORTS = """\
import importlib, json, pkgutil, sys
import cnnctl.cli.export, cnnctl.exporting
modules = [one.name for one in pkgutil.walk_packages(cnnctl.exporting.__path__, "cnnctl.exporting.")]
for name in modules:
    importlib.import_module(name)
slow = {"keras", "tensorflow", "jax", "onnx", "ai_edge_litert", "onnxruntime", "openvino"}
print(json.dumps([len(modules), sorted(slow & {name.partition(".")[0] for name in sys.modules})]))
"""


def test_importing_the_room_imports_no_runtime():
    done = subprocess.run([sys.executable, "-c", IMPORTS], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    count, heavy = json.loads(done.stdout)
    assert count == 6
    assert heavy == []
