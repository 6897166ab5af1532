"""An independent judge of variant files: bytes, score and latency against the float source.

Nothing here comes from the compressor's own scoring: a variant is opened afresh, scored row by row
on the evaluation rows, and timed in turns with the source in one process on one thread.
"""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from bench.models import Prepared
from shoal.compressor.evaluate import runner

Array = npt.NDArray[Any]

_OPENINGS: Final = 3  # fresh sessions: memory layout alone moves tiny models by some percent
_ROUNDS: Final = 15
_BLOCK_S: Final = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One variant: `ratio` is its median latency over the source's."""

    bytes: int
    score: float
    ratio: float


class UnusableError(Exception):
    """The file does not load or does not run; the sentence says why."""


def judge(variant: Path, prepared: Prepared) -> Figures:
    """The figures of a variant file.

    Raises:
        UnusableError: it does not load, or fails on a row.
    """
    try:
        score = score_of(variant, prepared)
        ratio = statistics.median(_ratio(variant, prepared) for _ in range(_OPENINGS))
    except Exception as error:
        text = (str(error).splitlines() or [type(error).__name__])[0][:160]
        raise UnusableError(text) from error
    return Figures(bytes=_bytes(variant), score=score, ratio=ratio)


def _bytes(variant: Path) -> int:
    """The file, and what its writer put beside it under the same name: external data."""
    return sum(path.stat().st_size for path in variant.parent.glob(f"{variant.name}*"))


def score_of(variant: Path, prepared: Prepared) -> float:
    """Top-1 where there are labels, else the mean cosine to the source's answers."""
    feeds, labels = _evaluation(prepared)
    opened = runner.open_file(variant, 1)
    answers = [opened.run(None, feed)[0] for feed in feeds]
    if labels is not None:
        found = np.array([int(np.asarray(answer).reshape(-1).argmax()) for answer in answers])
        return float((found == labels).mean())
    source = runner.open_file(prepared.model, 1)
    wanted = [source.run(None, feed)[0] for feed in feeds]
    return float(np.mean([_cosine(a, b) for a, b in zip(answers, wanted, strict=True)]))


def _cosine(one: Array, other: Array) -> float:
    a, b = one.reshape(-1).astype(np.float64), other.reshape(-1).astype(np.float64)
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


def _evaluation(prepared: Prepared) -> tuple[list[dict[str, Array]], Array | None]:
    with np.load(prepared.evaluation) as archive:
        arrays = {name: archive[name] for name in archive.files}
    labels = arrays.pop("y", None)
    count = len(next(iter(arrays.values())))
    feeds = [{name: rows[i : i + 1] for name, rows in arrays.items()} for i in range(count)]
    return feeds, labels


def _ratio(variant: Path, prepared: Prepared) -> float:
    feed = _evaluation(prepared)[0][0]
    ours, float_source = _run(variant, feed), _run(prepared.model, feed)
    blocks = {run: _warm(run) for run in (ours, float_source)}
    ratios = []
    for turn in range(_ROUNDS):
        order = (ours, float_source) if turn % 2 else (float_source, ours)
        taken = {run: _median_s(run, blocks[run]) for run in order}
        ratios.append(taken[ours] / taken[float_source])
    return statistics.median(ratios)


def _run(path: Path, feed: Mapping[str, Array]) -> Callable[[], object]:
    opened = runner.open_file(path, 1)
    return lambda: opened.run(None, feed)


def _warm(run: Callable[[], object]) -> int:
    """Runs in a block of about a hundredth of a second, at least three."""
    return max(3, min(200, int(_BLOCK_S / max(_median_s(run, 20), 1e-7))))


def _median_s(run: Callable[[], object], runs: int) -> float:
    taken = []
    for _ in range(runs):
        start_s = time.perf_counter()
        run()
        taken.append(time.perf_counter() - start_s)
    return statistics.median(taken)
