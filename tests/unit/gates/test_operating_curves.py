"""Seeded rollouts by the hundred, watched at every look: what gates must never become.

The pooled tests are here so that nobody simplifies the device engine into one of them.
"""

import math
from collections.abc import Callable

import numpy as np
import pytest

from bench.gating import durations, judging, mishaps, rivals, streams
from bench.gating.durations import Latency
from bench.gating.judging import ALPHA
from bench.gating.mishaps import Mishaps
from bench.gating.streams import Liars, Paired, Rng, Unpaired
from shoal.controller.domain.evidence import Verdict
from shoal.controller.gates import engine

RUNS = 300
LYING = [Liars.NONE, Liars.WORSE]


def share(happens: Callable[[Rng], bool], runs: int = RUNS) -> float:
    rng = np.random.default_rng(11)
    return sum(happens(rng) for _ in range(runs)) / runs


def allowed(runs: int = RUNS) -> float:
    """Alpha and three standard errors of so many runs."""
    return ALPHA + 3 * math.sqrt(ALPHA * (1 - ALPHA) / runs)


def a_pair(**changed: object) -> Paired:
    fields: dict[str, object] = {"devices": 20, "icc": 0.1, "looks": 60, "samples": 300}
    return Paired(**fields | changed)  # type: ignore[arg-type]


def an_unpaired(**changed: object) -> Unpaired:
    fields: dict[str, object] = {"devices": 20, "base": 0.05, "icc": 0.1, "looks": 60}
    return Unpaired(**fields | changed)  # type: ignore[arg-type]


def fails_paired(setting: Paired) -> Callable[[Rng], bool]:
    design = judging.a_design(0.0)
    return lambda rng: judging.paired(streams.paired(setting, rng), design).verdict is Verdict.FAIL


def fails_unpaired(setting: Unpaired) -> Callable[[Rng], bool]:
    design = judging.a_design(0.0)
    return lambda rng: (
        judging.unpaired(streams.unpaired(setting, rng), design).verdict is Verdict.FAIL
    )


@pytest.mark.parametrize("liars", LYING)
def test_pairs_of_equal_sides_are_seldom_aborted(liars: Liars) -> None:
    assert share(fails_paired(a_pair(liars=liars))) <= allowed()


@pytest.mark.parametrize("liars", LYING)
def test_unpaired_equal_sides_are_seldom_aborted(liars: Liars) -> None:
    assert share(fails_unpaired(an_unpaired(liars=liars)), 150) <= allowed(150)


@pytest.mark.parametrize("liars", LYING)
def test_equal_latencies_are_seldom_aborted(liars: Liars) -> None:
    design = judging.a_design(0.0, engine.LEAST_LOG_RATIO)
    setting = Latency(devices=20, liars=liars, looks=8, samples=600, before=300)

    def fails(rng: Rng) -> bool:
        return judging.latency(durations.latency(setting, rng), design).verdict is Verdict.FAIL

    assert share(fails, 40) <= allowed(40)


@pytest.mark.parametrize("liars", LYING)
def test_incidents_of_equal_sides_are_seldom_aborted(liars: Liars) -> None:
    setting = Mishaps(devices=20, liars=liars)

    def fails(rng: Rng) -> bool:
        return judging.mishaps(mishaps.mishaps(setting, rng), 1.0).robust

    assert share(fails) <= allowed()


def test_a_drop_of_five_points_is_found() -> None:
    assert share(fails_paired(a_pair(drop=0.05)), 100) >= 0.8
    assert share(fails_unpaired(an_unpaired(rise=0.05)), 100) >= 0.8


def test_pooled_samples_abort_far_more_often() -> None:
    def paired(rng: Rng) -> bool:
        return rivals.pooled_betting(streams.paired(a_pair(), rng), 0.0) is Verdict.FAIL

    def unpaired(rng: Rng) -> bool:
        return rivals.pooled_rates(streams.unpaired(an_unpaired(), rng), 0.0)

    assert share(paired, 150) > 0.10
    assert share(unpaired, 150) > 0.10


def test_a_drop_at_the_limit_is_seldom_judged_at_all() -> None:
    setting, design = a_pair(drop=0.02), judging.a_design(0.02)
    outcomes = [
        judging.paired(streams.paired(setting, np.random.default_rng(seed)), design).verdict
        for seed in range(150)
    ]
    assert outcomes.count(Verdict.FAIL) / 150 <= allowed(150)
    assert outcomes.count(Verdict.PASS) / 150 <= allowed(150)
