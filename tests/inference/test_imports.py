"""A prediction imports nothing that is slow to import."""

import json
import subprocess
import sys

from cnnctl.inference.known_models import MADE, fingerprint, remember
from tests.inference.build import colour_run, paint

PREDICTION = """\
import importlib, json, pkgutil, sys
from pathlib import Path
import cnnctl.inference
modules = [module.name for module in pkgutil.walk_packages(cnnctl.inference.__path__, "cnnctl.inference.")]
assert len(modules) >= 3
for name in modules:
    importlib.import_module(name)
from cnnctl.data.table import Columns
from cnnctl.inference.inputs import expand_inputs
from cnnctl.inference.model import load_classifier
from cnnctl.inference.stream import classify
from cnnctl.runs import Run
classifier = load_classifier(Run(Path(sys.argv[1])))
answers = [classifier.classes[answer.probabilities.argmax()]
           for answer in classify(classifier, expand_inputs(sys.argv[2:], Columns))]
slow = {"keras", "tensorflow", "pandas", "sklearn", "scipy", "matplotlib", "onnx", "jinja2"}
print(json.dumps([answers, sorted(slow & {name.partition(".")[0] for name in sys.modules})]))
"""


def test_a_prediction_imports_neither_keras_nor_pandas(tmp_path):
    run = colour_run(tmp_path / "run")
    remember(fingerprint(run.onnx_model.read_bytes()), MADE)
    first = paint(tmp_path / "photos" / "a.png", 250, 0, 0)
    paint(tmp_path / "photos" / "b.png", 0, 250, 0)
    table = tmp_path / "list.csv"
    table.write_text("path\nphotos/a.png\nphotos/b.png\n")
    command = [sys.executable, "-c", PREDICTION, str(run.path), first, str(tmp_path / "photos"), str(table)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [["red", "red", "green", "red", "green"], []]
