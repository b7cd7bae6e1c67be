"""Training steps beside a bare Keras loop and beside the machine's ceiling, and where the time goes."""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.command import ROOT, ROUNDS, of, train

CEILING = ROOT / "benchmarks" / "ceiling.py"
LOOP = ROOT / "benchmarks" / "plain_loop.py"
PROFILED = ROOT / "benchmarks" / "profiled.py"


@dataclass(frozen=True)
class Network:
    """A config of the benchmarks: its name in plain_loop.py, images, settings, multiply-adds an image, and rounds."""

    kind: str
    config: str | Path
    images: int
    settings: dict[str, object]
    multiply_adds: int
    rounds: int


def networks(folder: Path) -> list[Network]:
    """The networks that are measured; without CATS_DOGS, those of CIFAR-10 alone."""
    cifar = {**of(folder), "train.epochs": 2, "data.test": "~"}
    chosen = [
        ("plain", "cifar10", 45_000, {**cifar, "data.validation": 0.1}),
        ("airbench", "cifar10-airbench", 9_000, {**cifar, "data.train": folder / "test", "data.validation": 0.1}),
    ]
    pets = os.environ.get("CATS_DOGS")
    if pets:
        modern = ROOT / "benchmarks" / "modern.yaml"
        chosen.insert(1, ("modern", modern, 896, {"data.train": Path(pets).absolute(), "train.epochs": 3}))
    return [
        Network(kind, config, images, settings, _multiply_adds(config), ROUNDS if kind == "plain" else -(-ROUNDS // 3))
        for kind, config, images, settings in chosen
    ]


def _multiply_adds(config: str | Path) -> int:
    path = config if isinstance(config, Path) else ROOT / "configs" / f"{config}.yaml"
    command = [sys.executable, "-m", "cnnctl", "summary", str(path), "--json", "--set", "classes=2"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(json.loads(done.stdout)["multiply_adds"])


def section(folder: Path) -> str:
    """The section of BENCHMARKS.md."""
    lines = [
        "## Training steps beside a bare loop, and beside the machine's ceiling",
        "",
        "cnnctl trains from files with the config's augmentation; `benchmarks/plain_loop.py` fits the same network in",
        "the same precision to images in memory, with none. Images/s of the last epoch's steps, of each round.",
        "The ceiling (`benchmarks/ceiling.py`) is the best rate of a 3x3 convolution, forward",
        "and backward; its share is 6 operations a multiply-add of the plan times images/s over that rate.",
        "",
        "| network | precision | cnnctl images/s | bare loop | ratio of medians | share of the ceiling |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    shares = []
    with tempfile.TemporaryDirectory() as cache:
        for network in networks(folder):
            for precision in ("auto", "float32"):
                ours, theirs, policy = _paces(network, precision, Path(cache))
                ceiling = _script(CEILING, policy)["flops"]
                reached = 6 * network.multiply_adds * median(ours) / ceiling
                lines.append(
                    f"| {network.kind} | {policy} | {_each(ours)} | {_each(theirs)} "
                    f"| {median(ours) / median(theirs):.2f} | {reached:.0%} of {ceiling / 1e12:.2f} TFLOP/s |"
                )
                print(lines[-1], flush=True)
                if precision == "auto":
                    shares.append(_row(network.kind, reached, *_profile(network, Path(cache))))
    lines += [
        "",
        "Where the rest of the ceiling goes, in precision auto: what the time of some steps of epoch 2 went to,",
        "by TensorFlow's profiler (`benchmarks/profiled.py`); an instant in which two operations run counts half for",
        "each. Within: the share of the ceiling that convolutions reach in the time that they get.",
        "",
        "| network | convolution | within | everything else | cores busy |",
        "| --- | --- | --- | --- | --- |",
        *shares,
    ]
    return "\n".join(lines)


def _paces(network: Network, precision: str, cache: Path) -> tuple[list[float], list[float], str]:
    ours, theirs = [], []
    policy = ""
    for _ in range(network.rounds):
        run = train(network.config, {**network.settings, "train.precision": precision}, cache)
        policy = run.environment["precision"]["policy"]
        ours.append(run.images_per_second[-1])
        theirs.append(_script(LOOP, network.kind, policy, str(network.images))["images_per_second"])
    return ours, theirs, policy


def _script(script: Path, *arguments: str) -> dict[str, float]:
    done = subprocess.run([sys.executable, str(script), *arguments], capture_output=True, text=True, check=True)
    answer: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return answer


def _profile(network: Network, cache: Path) -> tuple[dict[str, float], float]:
    """What the time of the steps went to, and how many cores were busy meanwhile."""
    sets = [part for key, value in network.settings.items() for part in ("--set", f"{key}={value}")]
    path = network.config if isinstance(network.config, Path) else ROOT / "configs" / f"{network.config}.yaml"
    command = [sys.executable, str(PROFILED), str(path), *sets]
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=cache, env=environment, capture_output=True, text=True, check=True)
    answer = json.loads(done.stdout.splitlines()[-1])
    return answer["shares"], answer["cores"]


def _row(name: str, reached: float, shares: dict[str, float], cores: float) -> str:
    convolution = shares.pop("convolution")
    rest = ", ".join(f"{kind} {share:.0%}" for kind, share in shares.items() if share >= 0.005)
    return f"| {name} | {convolution:.0%} | {reached / convolution:.0%} | {rest} | {cores:.1f} of {os.cpu_count()} |"


def _each(paces: list[float]) -> str:
    return ", ".join(f"{pace:,.0f}" for pace in paces)
