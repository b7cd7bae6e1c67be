import subprocess
import sys

import pytest

HEAVY = ("keras", "tensorflow", "cv2", "pandas", "sklearn", "numpy", "scipy", "matplotlib", "onnx", "onnxruntime")
MODULES = (
    "cnnctl.errors",
    "cnnctl.config",
    "cnnctl.config.dump",
    "cnnctl.config.reference",
    "cnnctl.architecture",
    "cnnctl.architecture.plan",
    "cnnctl.architecture.planner",
    "cnnctl.layers",
    "cnnctl.layers.notation",
    "cnnctl.settings",
    "cnnctl.architecture.cost",
    "cnnctl.architecture.warnings",
)


def imported(statements: str) -> set[str]:
    program = f"{statements}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.mark.parametrize("module", MODULES)
def test_config_and_architecture_import_nothing_heavy(module):
    found = imported(f"import {module}")
    assert module in found
    assert found.isdisjoint(HEAVY)


def test_the_subprocess_would_show_a_heavy_import():
    assert "numpy" in imported("import numpy")
