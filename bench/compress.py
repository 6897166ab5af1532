"""shoal-compress on the models of the targets, beside its peers and the chain done by hand.

    python -m bench.compress [-o json|table] [--models resnet8,dscnn,…] [--seeds 5] [--peers no]

Every model is searched with nothing cached, again from the cache, and for the other objective,
which the same archive answers. What was chosen is then judged afresh, by code that is not the
compressor's: bytes, score on the evaluation rows, latency in turns with the float source. Figures
over several seeds are medians. A peer that is absent, refuses a model or writes a file that does
not run says so on stderr.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench import models, report
from bench.compressing import byhand, judging, peers, venvs
from bench.compressing.judging import Figures, UnusableError
from bench.models import MissingError, Prepared
from bench.report import Row

OBJECTIVES: Final = ("bytes", "latency")
_PACKAGES: Final = ("shoal", "onnx", "onnxruntime", "torch", "torch-pruning", "numpy")
_POINTS: Final = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One search: the chosen variant judged afresh, and how long it took, first and from cache."""

    figures: Figures
    source_score: float
    seconds: float
    cached_seconds: float
    epochs: int


def rows(chosen: argparse.Namespace, folder: Path) -> Iterator[Row]:
    """Every comparison, model by model."""
    for name in chosen.models.split(","):
        try:
            yield from _model(name, chosen, folder)
        except MissingError as error:
            _say(f"skipped {error}")


def _model(name: str, chosen: argparse.Namespace, folder: Path) -> Iterator[Row]:
    seeds = range(chosen.seeds if name in models.TRAINED else 1)
    prepared = [models.prepare(name, folder / "models", seed) for seed in seeds]
    engines = chosen.engines
    runs = {
        objective: [
            _search(one, folder / f"{name}-{seed}", (objective, engines, chosen.effort))
            for seed, one in zip(seeds, prepared, strict=True)
        ]
        for objective in OBJECTIVES
    }
    others = _others(prepared[0], runs["bytes"][0], chosen, folder / f"{name}-peers")
    source = Figures(bytes=prepared[0].model.stat().st_size, score=0.0, ratio=1.0)
    for objective in OBJECTIVES:
        yield from _compared(name, objective, runs[objective], {"float": source, **others})
    for objective in OBJECTIVES:
        drops = [(run.source_score - run.figures.score) * _POINTS for run in runs[objective]]
        allowed = prepared[0].max_drop * _POINTS
        yield _row(f"{name}, objective {objective}: score lost / allowed", drops, allowed, "pt")
    first = runs[OBJECTIVES[0]]
    seconds = statistics.median(run.seconds for run in first)
    yield _row(
        f"{name}: again from cache / first search", [r.cached_seconds for r in first], seconds, "s"
    )


def _compared(
    name: str, objective: str, runs: list[Run], others: dict[str, Figures]
) -> Iterator[Row]:
    for peer, figures in others.items():
        what = f"{name}, objective {objective}"
        yield _row(f"{what}: bytes / {peer}", [r.figures.bytes for r in runs], figures.bytes, "B")
        yield _row(
            f"{what}: latency over float / {peer}",
            [r.figures.ratio for r in runs],
            figures.ratio,
            "x",
        )


def _row(what: str, ours: list[Any], peer: float, unit: str) -> Row:
    median = statistics.median(float(one) for one in ours)
    ratio = round(median / peer, 3) if peer else 0.0
    return Row(
        what=what, ours=round(median, 4), peer=round(peer, 4), ratio=ratio, unit=unit, n=len(ours)
    )


def _search(prepared: Prepared, folder: Path, asked: tuple[str, str, str]) -> Run:
    """Runs the command twice on one cache of its own, and judges what it chose."""
    objective, engines, effort = asked
    out = folder / objective
    command = [
        *(sys.executable, "-m", "shoal.compressor.cli", str(prepared.model)),
        *("--calibration", str(prepared.calibration), "--evaluation", str(prepared.evaluation)),
        *(() if prepared.train is None else ("--train", str(prepared.train))),
        *("--max-drop", str(prepared.max_drop), "--objective", objective, "--effort", effort),
        *("--engines", engines, "--out", str(out), "-o", "json"),
    ]
    # One cache for both objectives: what is searched depends on neither objective nor budget.
    environment = {**os.environ, "SHOAL_CACHE_DIR": str(folder / "cache")}
    taken = []
    for _ in range(2):
        start_s = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        taken.append(time.perf_counter() - start_s)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}\n{done.stdout or done.stderr}")
    told = json.loads(done.stdout)
    variant = out / told["chosen"]["file"]
    figures = judging.judge(variant, prepared)
    _say(
        f"{prepared.name} {objective}: {told['chosen']['recipe']['title']}, {figures.bytes} B, "
        f"x{figures.ratio:.3f} (reported x{told['chosen']['latency_ratio']:.3f}), {taken[0]:.1f} s"
    )
    return Run(
        figures=figures,
        source_score=judging.score_of(prepared.model, prepared),
        seconds=taken[0],
        cached_seconds=taken[1],
        epochs=_epochs(told["chosen"]["recipe"]["passes"]),
    )


def _epochs(passes: list[dict[str, Any]]) -> int:
    """How many times a recipe's training saw all rows; worked example: 400 steps of 64 are 24."""
    trained = [one for one in passes if "batch_rows" in one]
    return sum(round(one["steps"] * one["batch_rows"] / models.TRAIN_ROWS) for one in trained)


def _others(
    prepared: Prepared, run: Run, chosen: argparse.Namespace, folder: Path
) -> dict[str, Figures]:
    """The peers' variants of the same model, judged the same way; those that fail are told of."""
    folder.mkdir(parents=True, exist_ok=True)
    listed = list(peers.OWN_RUNTIME)
    if chosen.peers == "yes":
        listed += list(peers.in_own_venvs(venvs.FOLDER))
    listed.append(
        peers.Peer(
            name="by hand",
            make=lambda one, out: byhand.make(one, out, seed=0, epochs=max(run.epochs, 48)),
        )
    )
    found = {}
    for number, peer in enumerate(listed):
        out = folder / f"{number}.onnx"
        try:
            peers.make(peer, prepared, out)
            figures = judging.judge(out, prepared)
        except venvs.AbsentError as error:
            _say(f"{prepared.name}: no {peer.name}: {error}")
            continue
        except UnusableError as error:
            _say(f"{prepared.name}: {peer.name} writes a file that cannot be used: {error}")
            continue
        lost = run.source_score - figures.score
        missed = "" if lost <= prepared.max_drop else f" (misses the floor: -{lost * _POINTS:.1f})"
        found[f"{peer.name}{missed}"] = figures
    return found


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table")
    parser.add_argument("--models", default=",".join(models.MAX_DROP), help="names, with commas")
    parser.add_argument("--seeds", type=int, default=5, help="of models that are trained here")
    parser.add_argument("--effort", default="balanced")
    parser.add_argument("--engines", default="onnxruntime")
    parser.add_argument("--peers", choices=("yes", "no"), default="yes")
    parser.add_argument("--keep", type=Path, help="a folder for everything that is made")
    chosen = parser.parse_args()
    if chosen.keep is not None:
        report.show("compress", _PACKAGES, rows(chosen, chosen.keep), chosen.output)
        return
    with tempfile.TemporaryDirectory() as folder:
        report.show("compress", _PACKAGES, rows(chosen, Path(folder)), chosen.output)


if __name__ == "__main__":
    main()
