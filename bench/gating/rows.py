"""Shares and sample counts of many simulated rollouts, in the one shape of benchmark rows."""

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

import numpy as np

from bench.gating.judging import ALPHA, Outcome
from bench.gating.streams import Rng
from bench.report import Row
from shoal.controller.domain.evidence import Verdict

_Played = TypeVar("_Played")


def played(what: str, runs: int, play: Callable[[Rng], _Played]) -> list[_Played]:
    """So many rollouts; the seed is the name, so that no row depends on those before it."""
    rng = np.random.default_rng(zlib.crc32(what.encode()))
    return [play(rng) for _ in range(runs)]


def share(what: str, ours: Sequence[bool], peer: float) -> Row:
    """The share of rollouts beside another share."""
    mean = sum(ours) / len(ours)
    return Row(
        what=what,
        ours=round(mean, 4),
        peer=round(peer, 4),
        ratio=round(mean / peer, 3) if peer else float(mean > 0),
        unit="share",
        n=len(ours),
    )


def aborts(what: str, ours: Sequence[bool], rivals: Mapping[str, Sequence[bool]]) -> Iterator[Row]:
    """Healthy rollouts that were aborted: beside the promise, and beside each rival."""
    yield share(f"{what}: false aborts / alpha", ours, ALPHA)
    for name, theirs in rivals.items():
        yield share(f"{what}: false aborts / {name}", ours, sum(theirs) / len(theirs))


def at_the_limit(what: str, outcomes: Sequence[Outcome]) -> Iterator[Row]:
    """Both errors where the truth lies exactly at the limit."""
    for verdict in (Verdict.FAIL, Verdict.PASS):
        wrong = [one.verdict is verdict for one in outcomes]
        yield share(f"{what}: false {verdict} / alpha", wrong, ALPHA)


def decided(outcomes: Sequence[Outcome], verdict: Verdict) -> list[int]:
    """The samples of the rollouts that ended so."""
    return [one.samples for one in outcomes if one.verdict is verdict]


def samples(what: str, found: Sequence[int], share_of: float, peer: float) -> Row:
    """A quantile of samples to a verdict beside a number of samples."""
    ours = float(np.quantile(found, share_of)) if found else 0.0
    return Row(
        what=what,
        ours=round(ours),
        peer=round(peer),
        ratio=round(ours / peer, 3) if peer else 0.0,
        unit="samples",
        n=len(found),
    )
