"""Memory and latency foreseen beside measured, and stages under a memory budget.

    python -m bench.predictors [-o json|table] [--models resnet8,dscnn,…] [--memory-mb 24]

For every model the source and its quantizations, those the runtime runs: `peak_memory_bytes`
predicted (ours) and measured in a fresh process (peer), in MB; milliseconds predicted from probes
and the timed source (ours) and measured in turns with it (peer). One row tells the rank correlation
of all latencies, and MiniLM in int8 is split for a memory budget.
"""

import argparse
import functools
import statistics
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import onnx

from bench import models, report
from bench.models import MissingError, Prepared
from bench.report import Row
from shoal.compressor.analyse import baseline, memory_plan, operations, timing
from shoal.compressor.analyse.latency_model import Model
from shoal.compressor.evaluate import latency, memory, runner
from shoal.compressor.evaluate.latency import Rounds
from shoal.compressor.passes.graph import Clean
from shoal.compressor.passes.protocol import Finished, Pass, PassContext, PassError
from shoal.compressor.passes.quantize import DynamicInt8, Form, StaticInt8
from shoal.compressor.passes.quantize_blocks import WeightBlocks
from shoal.compressor.passes.quantize_rows import EmbeddingRows
from shoal.compressor.passes.quantizer import feeds
from shoal.compressor.passes.split import Split

_PACKAGES: Final = ("shoal", "onnx", "onnxruntime", "numpy")
_RECIPES: Final[dict[str, tuple[Pass, ...]]] = {
    "float": (),
    "static int8": (StaticInt8(),),
    "static int8 QDQ": (StaticInt8(form=Form.QDQ),),
    "dynamic int8": (DynamicInt8(),),
    "blocks of 8 bits": (WeightBlocks(),),
    "rows and dynamic int8": (EmbeddingRows(), DynamicInt8(per_channel=True)),
}
_ROWS: Final = 32
_ROUNDS: Final = Rounds(least=15, most=101, seconds=1.5)
_SPLIT: Final = ("minilm", "rows and dynamic int8")
_MB: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What every model is held against on this machine."""

    costs: Model
    session_bytes: int
    folder: Path
    memory_bytes: int


def rows(names: list[str], bench: Bench) -> Iterator[Row]:
    """Every comparison, model by model."""
    pairs: list[tuple[float, float]] = []
    for name in names:
        try:
            prepared = models.prepare(name, bench.folder / "models")
        except MissingError as error:
            print(f"skipped {error}", file=sys.stderr)
            continue
        yield from _model(prepared, bench, pairs)
    yield _row("all latencies: rank correlation", _rank_correlation(pairs), 1.0, "")


def _model(prepared: Prepared, bench: Bench, pairs: list[tuple[float, float]]) -> Iterator[Row]:
    """The rows of one model; its latencies, foreseen and measured, join `pairs`."""
    context = _context(prepared)
    feed = next(feeds(context))
    memory.store_feed(feed, bench.folder / "feed.npz")
    source = runner.open_file(prepared.model, 1)
    alone = latency.single(lambda: source.run(None, feed), _ROUNDS)
    work = operations.read(prepared.model.read_bytes(), feed)
    costs = bench.costs.moved(work, alone.p50_ms)
    for title, recipe in _RECIPES.items():
        built = _built(recipe, context)
        if built is None:
            continue
        what, path = f"{prepared.name}, {title}", bench.folder / "candidate.onnx"
        onnx.save(built, path)
        work = operations.read(path.read_bytes(), feed)
        foreseen = memory_plan.predict(work, bench.session_bytes)
        peak = memory.start(path, bench.folder / "feed.npz", 1).result().peak_bytes
        yield _row(f"{what}: memory", foreseen / _MB, peak / _MB, "MB")
        opened = runner.open_file(path, 1)
        ratio = latency.ratio(
            functools.partial(opened.run, None, feed),
            functools.partial(source.run, None, feed),
            _ROUNDS,
        )
        pairs.append((costs.predict(work).ms, alone.p50_ms * ratio.p50))
        yield _row(f"{what}: latency", *pairs[-1], "ms")
        if (prepared.name, title) == _SPLIT:
            yield from _split(what, built, context, bench)


def _context(prepared: Prepared) -> PassContext:
    model = onnx.load(prepared.model)
    with np.load(prepared.calibration, allow_pickle=False) as archive:
        calibration = {name: archive[name][:_ROWS] for name in archive.files if name != "y"}
    return PassContext(
        calibration=calibration,
        train=None,
        source=model,
        output=model.graph.output[0].name,
        seed=0,
    )


def _built(recipe: tuple[Pass, ...], context: PassContext) -> onnx.ModelProto | None:
    """The cleaned source after `recipe`; None where a pass cannot work on it."""
    model = Clean().apply(context.source, context).model
    for one in recipe:
        try:
            done = one.apply(model, context)
        except PassError as error:
            print(f"left out {one.method}: {error.message}", file=sys.stderr)
            return None
        assert not isinstance(done, Finished)
        model = done.model
    return model


def _split(what: str, built: onnx.ModelProto, context: PassContext, bench: Bench) -> Iterator[Row]:
    """Peak memory and latency, loading included, of the stages beside the budget and the whole."""
    try:
        done = Split(memory_bytes=bench.memory_bytes).apply(built, context)
    except PassError as error:
        print(f"{what}: {error.message}", file=sys.stderr)
        return
    feed = next(feeds(context))
    path, whole_path = bench.folder / "variant.stages", bench.folder / "whole.onnx"
    path.write_bytes(done.artifact.data)
    onnx.save(built, whole_path)
    peak = memory.start(path, bench.folder / "feed.npz", 1).result().peak_bytes
    count = len(done.notes["stages"])
    title = f"{what}, in {count} stages"
    yield _row(f"{title}: memory beside budget", peak / _MB, bench.memory_bytes / _MB, "MB")
    staged, whole = runner.open_file(path, 1), runner.open_file(whole_path, 1)
    yield _row(
        f"{title}: latency beside the whole",
        latency.single(lambda: staged.run(None, feed), _ROUNDS).p50_ms,
        latency.single(lambda: whole.run(None, feed), _ROUNDS).p50_ms,
        "ms",
    )


def _rank_correlation(pairs: list[tuple[float, float]]) -> float:
    """Spearman's: the correlation of the ranks."""
    foreseen, measured = (
        np.argsort(np.argsort(side)).tolist() for side in zip(*pairs, strict=True)
    )
    return statistics.correlation(foreseen, measured)


def _row(what: str, ours: float, peer: float, unit: str) -> Row:
    return Row(
        what=what,
        ours=round(ours, 3),
        peer=round(peer, 3),
        ratio=round(ours / peer, 3),
        unit=unit,
        n=1,
    )


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table")
    parser.add_argument("--models", default="resnet8,dscnn,keyword_spotting,mnist,minilm")
    parser.add_argument("--memory-mb", type=float, default=24.0)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(
            costs=timing.this_machine(1),
            session_bytes=baseline.session_bytes(1),
            folder=Path(folder),
            memory_bytes=int(chosen.memory_mb * _MB),
        )
        found = rows(chosen.models.split(","), bench)
        report.show("predictors", _PACKAGES, found, chosen.output)


if __name__ == "__main__":
    main()
