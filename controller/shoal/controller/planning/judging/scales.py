"""From a gate's limit to the margin of its effects, and from effects back to the limit's terms.

    bound       effect                   margin              shown
    maxDrop     drop                     limit               drop
    min         1 - value                1 - limit           value
    max         value                    limit               value
    max         ln(value/limit)          0                   value       latency, memory
    maxRatio    ln(after/before)         ln(limit)           ratio       latency, memory, quality
    maxRatio    rate after - before      (limit - 1) base    ratio       errorRate

A difference of log ratios of error rates is no test of their ratio, since the ratio cancels; so the
ratio is turned into a margin over the base rate.
"""

import math
from dataclasses import dataclass

from shoal.controller.domain.gating import Bound, GateSpec, Metric
from shoal.controller.gates import engine

_LOGARITHMIC = frozenset(
    {Metric.LATENCY_P50, Metric.LATENCY_P95, Metric.LATENCY_P99, Metric.MEMORY}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How one gate's effects are judged and shown; `base` is the error rate before the rollout."""

    gate: GateSpec
    base: float = 0.0

    @property
    def logarithmic(self) -> bool:
        """Whether effects are logarithms of ratios."""
        gate = self.gate
        if gate.metric is Metric.QUALITY:
            return gate.kind is Bound.MAX_RATIO
        return gate.metric in _LOGARITHMIC

    @property
    def baseless(self) -> bool:
        """Whether it asks for a ratio to nothing: no error before, so none can pass."""
        rates = self.gate.kind is Bound.MAX_RATIO and not self.logarithmic
        return rates and self.base == 0

    @property
    def margin(self) -> float:
        """The largest effect that the gate allows.

        errorRate with maxRatio 1.5 on a base of 1 %: half a point.
        """
        limit = self.gate.limit
        if self.logarithmic:
            return math.log(limit) if self.gate.kind is Bound.MAX_RATIO and limit > 0 else 0.0
        if self.gate.kind is Bound.MIN:
            return 1 - limit
        return (limit - 1) * self.base if self.gate.kind is Bound.MAX_RATIO else limit

    def design(self, alpha: float) -> engine.Design:
        """What the device engine is to test."""
        least = engine.LEAST_LOG_RATIO if self.logarithmic else engine.LEAST_DIFFERENCE
        return engine.Design(
            margin=self.margin, alpha_fail=alpha, mde=engine.least_effect(self.margin, least)
        )

    def shown(self, effect: float) -> float:
        """An effect in the terms of the limit."""
        if self.logarithmic:
            factor = math.exp(min(effect, 50.0))
            return factor if self.gate.kind is Bound.MAX_RATIO else self.gate.limit * factor
        if self.gate.kind is Bound.MIN:
            return 1 - effect
        if self.gate.kind is Bound.MAX_RATIO:
            return 1 + effect / self.base if self.base else 1.0
        return effect

    def interval(self, low: float, high: float) -> tuple[float, float]:
        """An interval of effects in the terms of the limit, rising, as far as values go at all."""
        one, other = self.shown(low), self.shown(high)
        least, most = self._range
        return (max(min(one, other), least), min(max(one, other), most))

    @property
    def _range(self) -> tuple[float, float]:
        """What the values themselves can be: no share is below 0 or above 1, no ratio negative."""
        if self.gate.kind is Bound.MAX_DROP:
            return -1.0, 1.0
        distance = self.gate.metric is Metric.QUALITY and self.gate.kind is Bound.MAX
        unbounded = distance or self.logarithmic or self.gate.kind is Bound.MAX_RATIO
        return 0.0, math.inf if unbounded else 1.0
