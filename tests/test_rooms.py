"""The rule of rooms: imports point down, there are no circles, and Keras is imported in four rooms only."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import cnnctl

ROOT = Path(cnnctl.__file__).parent
FLOORS = (
    ("cli", "api"),
    ("serving", "terminal"),
    ("sweeping", "cluster"),
    ("training", "explaining", "exporting", "ejecting", "examining"),
    ("evaluation", "models", "checks", "network_source"),
    ("convolve", "init", "pictures", "tracking", "inference", "transfer"),
    ("data", "architecture", "runs", "weights"),
    ("config",),
    ("layers", "system"),
    ("errors", "formatting", "ready", "settings", "version"),
)
"""The rooms of each floor, the highest first; `docs/design.md` says what is in them. `cnnctl` itself is the door."""
KERAS = {"models", "training", "explaining", "exporting"}
FILES = {
    ".".join(("cnnctl", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in ROOT.rglob("*.py")
    if path.name != "__main__.py"
}


def imports(path: Path) -> Iterator[str]:
    """The modules that a file imports, at its top or inside of functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            members = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from [name for name in members if name in FILES] or [node.module]


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def test_imports_point_to_lower_floors() -> None:
    floor = {name: number for number, names in enumerate(FLOORS) for name in names}
    assert {room(module) for module in FILES} == {"", *floor}
    assert [
        f"{module} imports {imported}"
        for module, path in FILES.items()
        for imported in imports(path)
        if imported.split(".")[0] == "cnnctl"
        and room(module) not in ("", room(imported))
        and floor[room(imported)] <= floor[room(module)]
    ] == []


def test_no_modules_import_each_other() -> None:
    graph = {module: {name for name in imports(path) if name in FILES} for module, path in FILES.items()}
    assert sum(map(len, graph.values())) > 500
    TopologicalSorter(graph).prepare()  # a CycleError names the modules


def test_keras_is_imported_in_four_rooms() -> None:
    found = {
        room(module) for module, path in FILES.items() if any(name.split(".")[0] == "keras" for name in imports(path))
    }
    assert found == KERAS


def test_training_is_readable_in_one_sitting() -> None:
    assert sum(module.startswith("cnnctl.training.") for module in FILES) <= 16
