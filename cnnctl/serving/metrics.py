"""Counters in Prometheus' text format, version 0.0.4.

Source: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Seconds: the upper bounds of the histogram."""


class Metrics:
    """What has been asked and answered; in the event loop's thread only.

    `paths` are those that are told apart; all others are `other`, since anybody may invent one.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths = frozenset(paths)
        self._requests: Counter[tuple[str, int]] = Counter()
        self._buckets: dict[str, list[int]] = {}
        self._seconds: Counter[str] = Counter()
        self.images: Counter[str] = Counter({"answered": 0, "refused": 0})

    def count(self, path: str, status: int, seconds: float) -> None:
        """A request has been answered."""
        path = path if path in self._paths else "other"
        self._requests[path, status] += 1
        self._buckets.setdefault(path, [0] * (len(BOUNDS) + 1))[bisect_left(BOUNDS, seconds)] += 1
        self._seconds[path] += seconds  # type: ignore[assignment]

    def text(self, gauges: Mapping[str, tuple[str, str, int]]) -> str:
        """All of it, and further values by name: (counter or gauge, what it is, value)."""
        lines = _head("cnnctl_requests_total", "counter", "Requests answered, by path and status.")
        for (path, status), count in sorted(self._requests.items()):
            lines.append(f'cnnctl_requests_total{{path="{path}",status="{status}"}} {count}')
        lines += _head("cnnctl_images_total", "counter", "Images of requests, by what came of them.")
        lines += [f'cnnctl_images_total{{outcome="{name}"}} {count}' for name, count in self.images.items()]
        name = "cnnctl_request_duration_seconds"
        lines += _head(name, "histogram", "Seconds from a request's first byte to the end of its answer.")
        for path, buckets in sorted(self._buckets.items()):
            total = 0
            for bound, count in zip((*map(str, BOUNDS), "+Inf"), buckets, strict=True):
                total += count
                lines.append(f'{name}_bucket{{path="{path}",le="{bound}"}} {total}')
            lines.append(f'{name}_sum{{path="{path}"}} {self._seconds[path]!r}')
            lines.append(f'{name}_count{{path="{path}"}} {total}')
        for name, (kind, words, value) in gauges.items():
            lines += [*_head(name, kind, words), f"{name} {value}"]
        return "\n".join(lines) + "\n"


def _head(name: str, kind: str, words: str) -> list[str]:
    return [f"# HELP {name} {words}", f"# TYPE {name} {kind}"]
