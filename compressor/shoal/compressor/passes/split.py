"""Cuts a graph that fits no memory whole into stages that are loaded one after another.

The idea of model partitioning on one device (for example Kang et al. 2017, "Neurosurgeon:
collaborative intelligence between the cloud and mobile edge", ASPLOS): cut where the tensors handed
on are narrowest. Here under a memory budget: the fewest stages whose measured peak fits. The graph
that is cut is the one the runtime makes of the model, so that no fused operator is torn apart; the
answers are those of the whole, bit by bit, or the next way of cutting is tried.
"""

import itertools
import tempfile
from collections.abc import Mapping, Sequence
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
from shoal.compressor.staging.archive import Stage, opened
from shoal.compressor.staging.cutting import Cut
from shoal.contract import units

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
    _Way(level="ORT_ENABLE_EXTENDED", optimise=True),  # convolutions in the processor's layout
    _Way(level="ORT_DISABLE_ALL", optimise=True),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    """One model to split, and the rows that prove it."""

    model: bytes
    feeds: Sequence[Feed]
    answers: Sequence[list[np.ndarray]]
    threads: int
    folder: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trial:
    """One staged file and what it measured."""

    data: bytes
    cuts: tuple[Cut, ...]
    files: tuple[Stage, ...]
    peak_bytes: int
    stage_bytes: tuple[int, ...]


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
        data = model.SerializeToString()
        whole = session.open_session(data, context.threads)
        answers = [whole.run(None, feed) for feed in feeds]
        del whole
        with tempfile.TemporaryDirectory() as folder:
            memory.store_feed(dict(feeds[0]), Path(folder) / "feed.npz")
            task = _Task(
                model=data,
                feeds=feeds,
                answers=answers,
                threads=context.threads,
                folder=Path(folder),
            )
            return self._first_exact(task)

    def _first_exact(self, task: _Task) -> Finished:
        for way in _WAYS:
            trial = self._fitting(task, way)
            if _is_exact(task, trial.data):
                return Finished(
                    artifact=Artifact(format=Format.STAGES, data=trial.data),
                    notes=_notes(trial, way, len(task.feeds)),
                )
        raise PassError(
            Rejection.BUILD_FAILED,
            "the stages answer otherwise than the whole graph, however it is cut",
        )

    def _fitting(self, task: _Task, way: _Way) -> _Trial:
        """The first plan whose measured peak is within the budget."""
        fixed = baseline.session_bytes(task.threads) + _KEPT_BYTES
        limit = self.memory_bytes - fixed
        least = None
        for _ in range(_TRIES):
            trial = self._tried(task, way, limit)
            worst = int(trial.peak_bytes * _SPREAD)
            if worst <= self.memory_bytes:
                return trial
            least = min(trial.peak_bytes, least or trial.peak_bytes)
            limit -= worst - self.memory_bytes + _SLACK_BYTES
        raise self._unfit(f"{units.format_size(least or 0)} at best after {_TRIES} plans")

    def _tried(self, task: _Task, way: _Way, limit: int) -> _Trial:
        try:
            model = _rewritten(task.model, way)
            model = dividing.divided(model, trace.trace(model, task.feeds[0]), limit)
            flow = liveness.flow(model, trace.trace(model, task.feeds[0]))
            cuts = cutting.cuts(cutting.Costs(flow), limit)
        except cutting.CutError as error:
            fixed = self.memory_bytes - limit
            raise self._unfit(
                f"one {error.operator} alone takes {units.format_size(error.needed_bytes)} beside "
                f"{units.format_size(fixed)} of every session"
            ) from None
        parts = modules.modules(model, flow, cuts)
        return _measured(task, modules.pack(parts, flow, optimise=way.optimise), cuts)

    def _unfit(self, found: str) -> PassError:
        return PassError(
            Rejection.DOES_NOT_FIT,
            f"no stages fit {units.format_size(self.memory_bytes)} of memory: {found}",
        )


def _rewritten(model: bytes, way: _Way) -> onnx.ModelProto:
    import onnxruntime  # noqa: PLC0415 - not paid by a cached run

    level = getattr(onnxruntime.GraphOptimizationLevel, way.level)
    return compact.compact(graph.runtime_graph(model, level))


def _measured(task: _Task, data: bytes, cuts: tuple[Cut, ...]) -> _Trial:
    path = task.folder / "trial.stages"
    path.write_bytes(data)
    children = [
        memory.start(path, task.folder / "feed.npz", task.threads, _RUNS) for _ in range(_MEASURED)
    ]
    try:
        figures = [child.result() for child in children]
    except memory.MeasuringError as error:
        raise PassError(Rejection.RUNTIME_FAILED, str(error)) from error
    stages = zip(*(figure.stage_bytes for figure in figures), strict=True)
    return _Trial(
        data=data,
        cuts=cuts,
        files=opened(path).index.stages,
        peak_bytes=max(max(figure.peak_bytes, *figure.stage_bytes) for figure in figures),
        stage_bytes=tuple(max(peaks) for peaks in stages),
    )


def _is_exact(task: _Task, data: bytes) -> bool:
    path = task.folder / "trial.stages"
    path.write_bytes(data)
    runner = staged.open_stages(path, task.threads)
    for feed, whole in zip(task.feeds, task.answers, strict=True):
        found = runner.run(None, feed)
        if not all(_same(ours, theirs) for ours, theirs in zip(found, whole, strict=True)):
            return False
    return True


def _same(ours: Any, theirs: Any) -> bool:
    if not isinstance(theirs, np.ndarray) or theirs.dtype.kind == "O":
        return bool(ours == theirs)
    return bool(ours.dtype == theirs.dtype and ours.tobytes() == theirs.tobytes())


def _notes(trial: _Trial, way: _Way, rows: int) -> dict[str, Any]:
    stages = [
        {
            "file": stage.file,
            "bytes": stage.bytes,
            "peak_memory_bytes": peak,
            "cut_bytes": cut.cut_bytes,
        }
        for stage, peak, cut in zip(trial.files, trial.stage_bytes, trial.cuts, strict=True)
    ]
    return {
        "stages": stages,
        "planned_bytes": [cut.planned_bytes for cut in trial.cuts],
        "peak_memory_bytes": trial.peak_bytes,
        "rewritten": way.level,
        "rows_compared": rows,
    }
