"""Latency under a clock that only runs forward when a model does."""

from dataclasses import dataclass

import pytest

from shoal.agent.serve import latency
from shoal.contract.assignment import Preflight
from shoal.contract.budget import Budget


@dataclass
class Machine:
    """Time, and models that take some of it."""

    now: float = 0.0
    runs: int = 0

    def clock(self) -> float:
        return self.now

    def model(self, *seconds: float) -> latency.Run:
        """A model that takes these times in turn, the last one for ever after."""
        left = list(seconds)

        def run() -> None:
            self.runs += 1
            self.now += left.pop(0) if len(left) > 1 else left[0]

        return run


def limits(p95_ms: float | None = None, ratio: float | None = None) -> Preflight:
    return Preflight(budget=Budget(latency_p95_ms=p95_ms), max_latency_ratio=ratio)


def test_quantiles_are_nearest_ranks() -> None:
    values = [n / 1000 for n in range(1, 61)]
    assert latency.quantile_ms(values, 0.95) == 57
    assert latency.quantile_ms(values, 0.5) == 30
    assert latency.quantile_ms([0.004], 0.95) == 4


def test_one_good_round_is_enough() -> None:
    machine = Machine()
    taken = latency.measure(machine.model(0.002), None, limits(p95_ms=3), machine.clock)
    assert (taken.p50_ms, taken.p95_ms) == pytest.approx((2, 2))
    assert (taken.active_p95_ms, taken.ratio) == (None, None)
    assert machine.runs == latency.RUNS[1]


def test_a_busy_spell_does_not_refuse_a_candidate() -> None:
    machine = Machine()
    busy = [0.006] * (2 * latency.RUNS[1])  # two whole rounds
    taken = latency.measure(machine.model(*busy, 0.002), None, limits(p95_ms=3), machine.clock)
    assert not taken.exceeds(limits(p95_ms=3))
    assert machine.runs == 3 * latency.RUNS[1]


def test_what_exceeds_in_every_round_is_refused_with_its_figure() -> None:
    machine = Machine()
    taken = latency.measure(machine.model(0.004), None, limits(p95_ms=3), machine.clock)
    assert machine.runs == latency.ROUNDS * latency.RUNS[1]
    assert taken.exceeds(limits(p95_ms=3)) == "p95 is 4.000 ms, the budget 3 ms"


def test_the_ratio_is_to_the_active_variant_in_the_same_round() -> None:
    machine = Machine()
    taken = latency.measure(
        machine.model(0.004), machine.model(0.002), limits(ratio=1.5), machine.clock
    )
    assert (taken.active_p95_ms, taken.ratio) == pytest.approx((2, 2))
    assert taken.exceeds(limits(ratio=1.5)).startswith("p95 is 2.00 times that of the active")
    assert not taken.exceeds(limits(ratio=2.1))
    assert not taken.exceeds(limits())


def test_a_slow_model_is_run_less_often() -> None:
    machine = Machine()
    latency.measure(machine.model(0.2), None, limits(), machine.clock)
    assert machine.runs == latency.RUNS[0]
