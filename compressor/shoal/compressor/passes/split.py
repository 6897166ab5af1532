"""Cuts a graph that fits no memory whole into stages that are loaded one after another.

The idea of model partitioning on one device (for example Kang et al. 2017, "Neurosurgeon:
collaborative intelligence between the cloud and mobile edge", ASPLOS): cut where the tensors handed
on are narrowest. Here under a memory budget: the fewest stages whose measured peak fits. The graph
that is cut is the one the runtime makes of the model, so that no fused operator is torn apart; the
answers are those of the whole, bit by bit, or the next way of cutting is tried.
"""

import itertools
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import onnx

from shoal.compressor.analyse import baseline, liveness, trace
from shoal.compressor.artifacts import Artifact, Format
from shoal.compressor.evaluate import memory, session, staged
from shoal.compressor.passes import compact, graph, quantizer
from shoal.compressor.passes.protocol import Array, Finished, PassContext, PassError
from shoal.compressor.rejections import Rejection
from shoal.compressor.staging import cutting, dividing, modules
from shoal.compressor.staging.cutting import Cut
from shoal.contract import units
from shoal.engines import archive

_ROWS: Final = 4  # on which the stages must answer as the whole does
_TRIES: Final = 4  # plans, each tighter by what the last one's measurement was over
_MEASURED: Final = 2  # fresh processes a plan: the worst counts
_RUNS: Final = 3
_KEPT_BYTES: Final = 2_200_000  # what sessions leave behind in the process for the next one
_SLACK_BYTES: Final = 200_000
_SPREAD: Final = 1.02  # how much more another measurement of the same file may show

Feed = Mapping[str, Array]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """One way to cut: the runtime's rewriting before it, and whether stages are rewritten again."""

    level: str
    optimise: bool


_WAYS: Final = (
    _Way(level="ORT_ENABLE_EXTENDED", optimise=False),  # loads fastest
    _Way(level="ORT_ENABLE_EXTENDED", optimise=True),
    _Way(level="ORT_ENABLE_ALL", optimise=False),  # convolutions in this processor's own layout
    _Way(level="ORT_DISABLE_ALL", optimise=True),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """A staged file that answers as the whole does; `rewritten` is the runtime's level before."""

    data: bytes
    cuts: tuple[Cut, ...]
    rewritten: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """The fewest stages whose peak memory is within `memory_bytes`."""

    method: Literal["split"] = field(default="split", init=False)
    memory_bytes: int

    def apply(self, model: onnx.ModelProto, context: PassContext) -> Finished:
        """The staged file, bit-exact with `model` on calibration rows.

        Raises:
            PassError: DoesNotFit with the figures, or BuildFailed where stages answer otherwise.
        """
        feeds = list(itertools.islice(quantizer.feeds(context), _ROWS))
        whole = model.SerializeToString()
        fixed = baseline.session_bytes(context.threads) + _KEPT_BYTES
        limit = self.memory_bytes - fixed
        least = None
        for _ in range(_TRIES):
            try:
                found = exact_stages(whole, feeds, limit, context.threads)
            except cutting.CutError as error:
                raise self._unfit(
                    f"one {error.operator} alone takes {units.format_size(error.needed_bytes)} "
                    f"beside {units.format_size(fixed)} of every session"
                ) from None
            peaks = _measured(found.data, feeds[0], context.threads)
            worst = int(peaks.peak_bytes * _SPREAD)
            if worst <= self.memory_bytes:
                artifact = Artifact(format=Format.STAGES, data=found.data)
                return Finished(artifact=artifact, notes=_notes(found, peaks, len(feeds)))
            least = min(peaks.peak_bytes, least or peaks.peak_bytes)
            limit -= worst - self.memory_bytes + _SLACK_BYTES
        raise self._unfit(f"{units.format_size(least or 0)} at best after {_TRIES} plans")

    def _unfit(self, found: str) -> PassError:
        return PassError(
            Rejection.DOES_NOT_FIT,
            f"no stages fit {units.format_size(self.memory_bytes)} of memory: {found}",
        )


def exact_stages(model: bytes, feeds: Sequence[Feed], limit_bytes: int, threads: int) -> Staged:
    """The fewest stages of `model` that are planned within `limit_bytes` and answer as it does.

    `limit_bytes` leaves out what every session costs.

    Raises:
        CutError: an operator does not fit by itself.
        PassError: BuildFailed, the stages answer otherwise whichever way it is cut.
    """
    whole = session.open_session(model, threads)
    answers = [whole.run(None, dict(feed)) for feed in feeds]
    del whole
    for way in _WAYS:
        found = _cut(model, feeds[0], limit_bytes, way)
        if _answer_alike(found.data, feeds, answers, threads):
            return found
    raise PassError(
        Rejection.BUILD_FAILED,
        "the stages answer otherwise than the whole graph, however it is cut",
    )


def _cut(model: bytes, feed: Feed, limit_bytes: int, way: _Way) -> Staged:
    import onnxruntime  # noqa: PLC0415 - not paid by a cached run

    level = getattr(onnxruntime.GraphOptimizationLevel, way.level)
    rewritten = compact.compact(graph.runtime_graph(model, level))
    divided = dividing.divided(rewritten, trace.trace(rewritten, feed), limit_bytes)
    flow = liveness.flow(divided, trace.trace(divided, feed))
    cuts = cutting.cuts(cutting.Costs(flow), limit_bytes)
    parts = modules.modules(divided, flow, cuts)
    data = modules.pack(parts, flow, optimise=way.optimise)
    return Staged(data=data, cuts=cuts, rewritten=way.level)


def _answer_alike(
    data: bytes, feeds: Sequence[Feed], answers: Sequence[list[np.ndarray]], threads: int
) -> bool:
    with _as_file(data) as path:
        runner = staged.open_stages(path, threads)
        return all(
            _same(ours, theirs)
            for feed, whole in zip(feeds, answers, strict=True)
            for ours, theirs in zip(runner.run(None, feed), whole, strict=True)
        )


def _same(ours: Any, theirs: Any) -> bool:
    if not isinstance(theirs, np.ndarray) or theirs.dtype.kind == "O":
        return bool(ours == theirs)
    return bool(ours.dtype == theirs.dtype and ours.tobytes() == theirs.tobytes())


def _measured(data: bytes, feed: Feed, threads: int) -> memory.Memory:
    """The worst of some fresh processes, over all and stage by stage."""
    with _as_file(data) as path:
        stored = path.with_name("feed.npz")
        memory.store_feed(dict(feed), stored)
        children = [memory.start(path, stored, threads, _RUNS) for _ in range(_MEASURED)]
        try:
            figures = [child.result() for child in children]
        except memory.MeasuringError as error:
            raise PassError(Rejection.RUNTIME_FAILED, str(error)) from error
    stages = zip(*(figure.stage_bytes for figure in figures), strict=True)
    return memory.Memory(
        peak_bytes=max(max(figure.peak_bytes, *figure.stage_bytes) for figure in figures),
        runtime_rss_bytes=figures[0].runtime_rss_bytes,
        stage_bytes=tuple(max(peaks) for peaks in stages),
    )


@contextmanager
def _as_file(data: bytes) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trial.stages"
        path.write_bytes(data)
        yield path


def _notes(found: Staged, peaks: memory.Memory, rows: int) -> dict[str, Any]:
    with _as_file(found.data) as path:
        files = archive.opened(path).index.stages
    return {
        "stages": [
            {
                "file": stage.file,
                "bytes": stage.bytes,
                "peak_memory_bytes": peak,
                "cut_bytes": cut.cut_bytes,
            }
            for stage, peak, cut in zip(files, peaks.stage_bytes, found.cuts, strict=True)
        ],
        "planned_bytes": [cut.planned_bytes for cut in found.cuts],
        "peak_memory_bytes": peaks.peak_bytes,
        "rewritten": found.rewritten,
        "rows_compared": rows,
    }
