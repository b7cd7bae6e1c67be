"""Whether all that a sweep may try can be trained: the corners of its space, checked as a config is."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from cnnctl.checks import Findings, check
from cnnctl.config import Loaded
from cnnctl.config.dump import to_plain
from cnnctl.config.problems import in_order, show
from cnnctl.config.sweep import Sweep
from cnnctl.errors import ConfigError, Notice, Problem

_SHOWN = 4


@dataclass
class _Found:
    """A problem, and the corners that have it."""

    problem: Problem
    first: Mapping[str, Any]
    count: int = 1


def check_corners(sweep: Sweep) -> list[Notice]:
    """Warnings that every corner has.

    Raises:
        ConfigError: with each problem once; what only some values of the space have is told with such values.
    """
    problems: dict[tuple[str, str], _Found] = {}
    warnings: dict[Notice, int] = {}
    catalogs: dict[str, Any] = {}
    corners = 0
    for values in sweep.corners():
        corners += 1
        findings = _check(sweep.loaded(values), catalogs)
        for problem in findings.problems:
            found = problems.setdefault((problem.path, problem.message), _Found(problem, values, 0))
            found.count += 1
        for warning in findings.warnings:
            warnings[warning] = warnings.get(warning, 0) + 1
    _check_metric(sweep, problems)
    if problems:
        raise ConfigError(in_order(_told(found, corners) for found in problems.values()))
    return [warning for warning, count in warnings.items() if count == corners]


def _check(loaded: Loaded, catalogs: dict[str, Any]) -> Findings:
    """The findings of one corner; the images are looked for once for all that have the same ones."""
    key = ""
    if loaded.data is not None and loaded.config is not None:
        plain = {name: value for name, value in to_plain(loaded.data).items() if name not in ("image", "cache")}
        key = f"{plain} {loaded.config.seed}"
    findings = check(loaded, lambda done, total: None, decode=False, catalog=catalogs.get(key))
    if key and findings.catalog is not None:
        catalogs[key] = findings.catalog
    return findings


def _check_metric(sweep: Sweep, problems: dict[tuple[str, str], _Found]) -> None:
    config = sweep.loaded(next(sweep.corners())).config
    metric = sweep.settings.metric
    if config is not None and metric.startswith("val_") and not config.data.validation:
        message = "there are no validation images to judge a trial by"
        hint = "set data.validation to a fraction"
        problem = Problem(message, "metric", sweep.position, f"metric={metric}", hint)
        problems["metric", message] = _Found(problem, {}, 0)


def _told(found: _Found, corners: int) -> Problem:
    if found.count in (0, corners):
        return found.problem
    values = [f"{key}={show(value)}" for key, value in found.first.items() if key != found.problem.path]
    if not values:
        return found.problem
    more = ", ..." if len(values) > _SHOWN else ""
    return replace(found.problem, message=f"{found.problem.message} (with {', '.join(values[:_SHOWN])}{more})")
