"""The pinned versions and the lower bounds, and that both say what pyproject.toml says."""

import re
import subprocess
import tomllib
from importlib.metadata import version

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.pins import PINS, ROOT, lowest, pins, requirements

WHERE = " ; python_full_version < '3.15' and implementation_name == 'cpython'"
WHERE += " and (sys_platform == 'darwin' or sys_platform == 'linux' or sys_platform == 'win32')"


def pinned() -> list[Requirement]:
    lines = [line for line in PINS.read_text().splitlines() if not line.startswith("#")]
    return [Requirement(line) for line in lines]


def test_a_pin_is_a_name_and_a_version() -> None:
    assert "://" not in PINS.read_text()
    for pin in pinned():
        (specifier,) = pin.specifier
        assert (specifier.operator, pin.url, pin.extras) == ("==", None, set())
        assert pin.name == canonicalize_name(pin.name)
        assert pin.name != "cnnctl"


def test_every_requirement_is_pinned_within_its_range() -> None:
    pins = {}
    for pin in pinned():
        pins.setdefault(pin.name, []).append(pin)
    for text in [*requirements(), "pip"]:
        wanted = Requirement(text)
        found = pins[canonicalize_name(wanted.name)]
        assert any(next(iter(pin.specifier)).version in wanted.specifier for pin in found), text


@pytest.mark.parametrize(
    ("requirement", "expected"),
    [
        ("typer>=0.16", "typer==0.16"),
        ("keras>=3.15.1,<3.16", "keras==3.15.1"),
        ("tensorflow[and-cuda]>=2.21,<3; python_version < '3.14'", "tensorflow==2.21 ; python_version < '3.14'"),
    ],
)
def test_the_lower_bound(requirement: str, expected: str) -> None:
    assert lowest(requirement) == expected


def test_every_requirement_has_a_lower_bound() -> None:
    for requirement in requirements():
        bound, wanted = Requirement(lowest(requirement)), Requirement(requirement)
        assert next(iter(bound.specifier)).version in wanted.specifier
        assert str(bound.marker) == str(wanted.marker)
    for requirement in ("typer", "typer==0.16", "typer<1", "typer @ file:///typer"):
        with pytest.raises(ValueError, match="NAME>=VERSION"):
            lowest(requirement)


def test_markers_stay_where_a_package_has_several_versions() -> None:
    resolved = [f"click==8.5.1{WHERE}", "h5py==3.14.0 ; python_full_version < '3.14'", "h5py==3.16.0 ; os_name == 'nt'"]
    assert pins(resolved) == ["click==8.5.1", *resolved[1:]]
    assert pins([f"a==1{WHERE}", f"a==2{WHERE}"])[0] == "a==1 ; python_full_version < '3.15'"
    for strange in ("--index-url x", "a @ file:///a", "a>=1"):
        with pytest.raises(ValueError, match="not NAME==VERSION"):
            pins(["click==8.5.1", strange])


def test_keras_is_capped_at_the_minor_version_that_is_tested() -> None:
    """The fused optimizers use private names of it."""
    (keras,) = (one for one in requirements() if one.startswith("keras>"))
    major, minor, _ = version("keras").split(".")
    assert Requirement(keras).specifier.contains(f"{major}.{minor}.999")
    assert not Requirement(keras).specifier.contains(f"{major}.{int(minor) + 1}.0")


def test_the_extras_that_hints_name_exist() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert {"gpu", "jax", "litert", "mlflow", "openvino", "pretrained", "serve", "sweep"} <= set(extras)
    assert {"tensorboard", "wandb"} <= set(extras)


def test_make_help_lists_every_target() -> None:
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    listed = re.findall(r"^make ([a-z-]+) +\S", shown, re.MULTILINE)
    (declared,) = re.findall(r"^\.PHONY: (install .*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(declared.split())
