"""What a verdict keeps from pass to pass: a failure for good, a pass where no other side is left.

Only verdicts of the same gate (by the key of its spec) and source are taken over: a changed margin
voids what was seen before. A pass is for the wave: devices that joined since must show it too, as
long as there is another side to compare them with (gates.md section 5). The looks so far are kept
thinned, for the picture.
"""

from collections.abc import Iterable
from dataclasses import replace

from shoal.controller.domain.evidence import GateVerdict, Look, Source, Verdict

_GROWTH = 1.15  # a look is kept when this much more came in: evenly spaced on a logarithmic axis
_LOOKS_KEPT = 48
_ONE_SIDED = frozenset({Source.COUNT, Source.QUERY})  # they know no other side that could run out


def latch(
    before: Iterable[GateVerdict], now: Iterable[GateVerdict], *, last: bool
) -> tuple[GateVerdict, ...]:
    """The verdicts of now with what holds on from before; `last` is whether it is the last wave."""
    known = {(one.gate, one.source): one for one in before}
    latched = (_latched(known.get((one.gate, one.source)), one, last=last) for one in now)
    return tuple(replace(one, passed=one.passed or _passes(one)) for one in latched)


def _latched(before: GateVerdict | None, now: GateVerdict, *, last: bool) -> GateVerdict:
    if before is None:
        return _with_look(now, ())
    if before.verdict is Verdict.FAIL and not before.advisory:
        return before
    now = replace(_with_look(now, before.path), passed=before.passed)
    alone = now.advisory or (last and now.source not in _ONE_SIDED)
    if before.passed and alone and not now.holds and now.verdict is Verdict.INCONCLUSIVE:
        return before if before.verdict is Verdict.PASS else replace(now, verdict=Verdict.PASS)
    return now


def _passes(one: GateVerdict) -> bool:
    return one.verdict is Verdict.PASS and not one.advisory


def _with_look(now: GateVerdict, path: tuple[Look, ...]) -> GateVerdict:
    """The verdict with its path, longer by this look where enough is new."""
    if now.interval is None or now.value is None:
        return replace(now, path=path)
    if path and now.samples < _GROWTH * path[-1].samples:
        return replace(now, path=path)
    low, high = now.interval
    look = Look(samples=now.samples, low=_short(low), value=_short(now.value), high=_short(high))
    return replace(now, path=(*path, look)[-_LOOKS_KEPT:])


def _short(value: float) -> float:
    """Six digits: a picture needs no more, and records are written often."""
    return float(f"{value:.6g}")
