"""What `check` found: sentences, and JSON."""

import sys
from typing import TYPE_CHECKING, Any

from cnnctl.terminal.render import print_json

if TYPE_CHECKING:
    from cnnctl.checks import Findings
    from cnnctl.errors import Position, Problem


def _json(findings: "Findings") -> dict[str, Any]:
    """The form of `check --json`."""
    value: dict[str, Any] = {
        "ok": not findings.problems,
        "problems": [problem_json(problem) for problem in findings.problems],
        "remarks": [
            {"path": one.path, **_place_json(one.position), "message": one.message, "hint": one.hint}
            for one in findings.warnings
        ],
    }
    images = findings.prepared or findings.catalog
    if images is not None:
        value["classes"] = list(images.classes)
        value["images"] = images.counts()
    if findings.plan is not None:
        value["total_params"] = findings.plan.total_params
    return value


def problem_json(problem: "Problem") -> dict[str, Any]:
    """One problem in the form of `check --json`."""
    from cnnctl.errors import EXIT_DATA

    return {
        "kind": "data" if problem.exit_code == EXIT_DATA else "config",
        "path": problem.path,
        **_place_json(problem.position),
        "message": problem.message,
        "received": problem.received,
        "hint": problem.hint,
    }


def _place_json(position: "Position | None") -> dict[str, Any]:
    if position is None:
        return {"file": None, "line": None, "column": None}
    return {"file": position.origin, "line": position.line, "column": position.column}


def print_findings(name: str, findings: "Findings", as_json: bool) -> None:
    """Counts and warnings on stdout, problems on stderr; `name` is that of the config."""
    from cnnctl.data.listing import describe_left_out

    if as_json:
        print_json(_json(findings))
        return
    if findings.problems:
        print("\n\n".join(str(problem) for problem in findings.problems), file=sys.stderr)
    if findings.catalog is not None and not findings.problems:
        for split, counts in (findings.prepared or findings.catalog).counts().items():
            print(f"{split}: {sum(counts.values()):,} images of {len(counts)} classes")
        left_out = describe_left_out(findings.catalog.left_out)
        if left_out:
            print(left_out)
    if findings.plan is not None and not findings.problems:
        print(f"network: {len(findings.plan.layers)} layers, {findings.plan.total_params:,} parameters")
    for warning in findings.warnings:
        where = f"{warning.position}: {warning.path}: " if warning.position else ""
        print(f"warning: {where}{warning.message}\n  hint: {warning.hint}")
    if not findings.problems:
        print(f"{name} is ready to train")
    else:
        count = len(findings.problems)
        print(f"\n{count} problem{'s' if count > 1 else ''}", file=sys.stderr)
