"""Verdicts in words: where the interval lies, the limit, and what is missing (gates.md, 10)."""

import math
from dataclasses import replace

from shoal.contract import units
from shoal.controller.domain.evidence import GateVerdict, Source, Verdict
from shoal.controller.domain.gating import Bound, Metric
from shoal.controller.gates.engine import MIN_DEVICES
from shoal.controller.planning import naming
from shoal.controller.planning.judging.sides import Scene

_WIDE = 1e3  # beyond it "about N times the data" means: not with these devices
_MOSTLY = 0.5
_COUNTED = frozenset({Metric.ACCURACY, Metric.AGREEMENT, Metric.ERROR_RATE})
_WHAT = {
    Source.SHADOW: "on shadowed requests",
    Source.LABELS: "on labelled requests",
}


def tell(judged: GateVerdict, scene: Scene) -> GateVerdict:
    """The verdict with its caption."""
    parts = [span(judged), _missing(judged, scene), _needed(judged)]
    text = "; ".join(part for part in parts if part)
    if judged.holds:
        text += "; beyond the limit against their own past, and no other side is left"
    elif judged.advisory:
        text = f"advisory ({_why_advisory(scene)}): {text}"
    return replace(judged, message=text)


def _why_advisory(scene: Scene) -> str:
    if scene.past is None:
        return "there is no earlier rollout to compare with"
    if scene.unchanged:
        return "the variant is the one of before"
    return f"it takes {MIN_DEVICES} devices on each side"


def baseless(judged: GateVerdict) -> GateVerdict:
    """The verdict of a gate that asks for a ratio to a rate of zero."""
    text = "no request failed before the rollout"
    if judged.verdict is Verdict.FAIL:
        text += ", and many do now"
    else:
        text += ": no ratio to that can pass, ask for max instead"
    return replace(judged, value=None, interval=None, effects=(), message=text)


def span(judged: GateVerdict) -> str:
    """`drop is between -0.4 and +1.1 points (limit 2)`; empty without an interval."""
    if judged.interval is None:
        return ""
    low, high = (amount(judged, one) for one in judged.interval)
    where = f" {_WHAT[judged.source]}" if judged.source in _WHAT else ""
    least = "at least" if judged.bound is Bound.MIN else "limit"
    limit = f"({least} {amount(judged, judged.limit, signed=False)})"
    return f"{_subject(judged)}{where} is between {low} and {high}{_points(judged)} {limit}"


def amount(judged: GateVerdict, value: float, *, signed: bool = True) -> str:
    """A number in the terms of the gate's limit."""
    if judged.bound is Bound.MAX_RATIO:
        return f"{value:.2f}x"
    if judged.bound is Bound.MAX_DROP:
        return f"{100 * value:+.1f}" if signed else f"{100 * value:g}"
    if judged.metric is Metric.MEMORY:
        return units.format_size(max(round(value), 0))
    if judged.metric.value.startswith("latency."):
        return f"{value:.3g} ms"
    if judged.metric in {Metric.QUALITY, Metric.PROMETHEUS} and judged.bound is Bound.MAX:
        return f"{value:.3g}"
    return f"{100 * value:.3g} %"


def _missing(judged: GateVerdict, scene: Scene) -> str:
    """`NO DATA from 6 of 20 devices (2 served nothing before the rollout)`."""
    missing = judged.scope.enrolled - judged.scope.devices
    if not judged.scope.enrolled:
        return "NO DATA: no device runs it yet"
    if missing <= 0:
        seen = judged.interval is None
        samples = naming.counted(judged.samples, "sample")
        return f"{samples} from {naming.counted(judged.scope.devices, 'device')}" if seen else ""
    text = f"NO DATA from {missing} of {naming.counted(judged.scope.enrolled, 'device')}"
    pastless = _pastless(judged, scene)
    return f"{text} ({pastless} served nothing before the rollout)" if pastless else text


def _pastless(judged: GateVerdict, scene: Scene) -> int:
    """How many updated devices serve, and have no past of their own to be compared with."""
    if judged.bound not in {Bound.MAX_RATIO, Bound.MAX_DROP} or judged.source is Source.SHADOW:
        return 0
    found = (scene.evidence.get(one.name) for one in scene.updated)
    return sum(
        one is not None and one.before is None and one.since(scene.variant) is not None
        for one in found
    )


def _needed(judged: GateVerdict) -> str:
    """`need about 2x the data`, where the interval still holds the limit."""
    if judged.verdict is not Verdict.INCONCLUSIVE or judged.width is None or judged.advisory:
        return ""
    factor = judged.width.data_factor
    if factor is None or factor <= 1 or not math.isfinite(factor):
        return ""
    if factor > _WIDE:
        return "it lies at the limit: these devices cannot tell"
    times = f"{max(factor, 1.1):.1f}x" if factor < 9.5 else f"{factor:.0f}x"
    # Only of counts it is known what sampling alone gives; of a quantile both look alike.
    if judged.metric in _COUNTED and judged.width.devices > _MOSTLY:
        return f"need about {times} the devices: they differ, and more time does not help"
    return f"need about {times} the data"


def _subject(judged: GateVerdict) -> str:
    if judged.bound is Bound.MAX_DROP:
        return (
            "drop"
            if judged.metric in {Metric.ACCURACY, Metric.AGREEMENT}
            else (f"drop of {judged.metric}")
        )
    return str(judged.metric)


def _points(judged: GateVerdict) -> str:
    return " points" if judged.bound is Bound.MAX_DROP else ""
