"""First incidents: who is at risk, what counts once, what liars cannot do."""

import dataclasses
import itertools
import math
import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoal.controller.gates import incidents
from shoal.controller.gates.engine import EPS, extremes
from shoal.controller.gates.incidents import Exposure

LIMIT = -math.log(0.05)


def an_exposure(
    device: str, *, candidate: bool, struck: float | None = None, since: float = 0.0
) -> Exposure:
    return Exposure(
        device=device, candidate=candidate, since=since, until=100.0, incident_at=struck
    )


def a_fleet(candidates: Sequence[float | None], others: Sequence[float | None]) -> list[Exposure]:
    ours = [an_exposure(f"c{i}", candidate=True, struck=at) for i, at in enumerate(candidates)]
    return ours + [an_exposure(f"b{i}", candidate=False, struck=at) for i, at in enumerate(others)]


STRUCK = st.one_of(st.none(), st.integers(0, 20).map(float))
FLEETS = st.builds(a_fleet, st.lists(STRUCK, max_size=12), st.lists(STRUCK, max_size=12))


def test_nothing_happened_is_no_evidence() -> None:
    for fleet in ([], a_fleet([None] * 20, [None] * 40)):
        found = incidents.evidence(fleet, 2.0)
        assert (found.log_e_fail, found.log_e_fail_robust, found.log_e_pass) == (0.0, 0.0, 0.0)
        assert (found.events, found.candidate_events) == (0, 0)


def test_the_evidence_is_the_likelihood_ratio_of_each_event() -> None:
    # Events at 1 (candidate, 2 of 2 and 2 at risk) and 2 (baseline, 1 and 2 at risk).
    fleet = a_fleet([1.0, None], [2.0, None])
    found = incidents.evidence(fleet, 1.0)
    expected = [g * 2 / (g * 2 + 2) / (2 / 4) * (2 / (g + 2)) / (2 / 3) for g in (1.5, 2, 3, 5, 10)]
    assert found.log_e_fail == pytest.approx(math.log(sum(expected) / 5))
    spared = [(2 / (g + 2)) / (2 / 3) for g in (1.5, 2, 3, 5, 10)]  # the one candidate event goes
    assert found.log_e_fail_robust == pytest.approx(math.log(sum(spared) / 5))
    assert (found.events, found.candidate_events) == (2, 1)


@given(FLEETS, st.randoms(), st.sampled_from([1.0, 1.5, 2.0]))
def test_no_order_and_no_repetition_changes_a_bit(
    fleet: list[Exposure], chance: random.Random, ratio: float
) -> None:
    mixed = [*fleet, *fleet[: len(fleet) // 2]]
    chance.shuffle(mixed)
    assert incidents.evidence(mixed, ratio) == incidents.evidence(fleet, ratio)


@pytest.mark.parametrize("devices", [1, 8, 20, 21, 100])
def test_incidents_on_as_many_devices_as_may_lie_never_fail(devices: int) -> None:
    lying = extremes(devices, EPS)
    fleet = a_fleet([1.0] * lying + [None] * (devices - lying), [None] * 2 * devices)
    found = incidents.evidence(fleet, 1.0)
    assert found.log_e_fail_robust == 0.0
    assert found.candidate_events == lying


@given(FLEETS)
def test_the_allowance_only_ever_lowers_the_evidence(fleet: list[Exposure]) -> None:
    found = incidents.evidence(fleet, 1.0)
    assert found.log_e_fail_robust <= found.log_e_fail + 1e-12


def test_a_crash_loop_is_one_event() -> None:
    loop = [
        Exposure(device="c0", candidate=True, since=float(i), until=i + 1.0, incident_at=i + 1.0)
        for i in range(1000)
    ]
    once = [an_exposure("c0", candidate=True, struck=1.0)]
    rest = a_fleet([], [None] * 10)
    found = incidents.evidence(loop + rest, 1.0)
    assert (found.events, found.candidate_events) == (1, 1)
    assert found == incidents.evidence(once + rest, 1.0)


def test_a_device_that_switches_is_at_risk_in_one_arm_at_a_time() -> None:
    past = Exposure(device="c0", candidate=False, since=0.0, until=10.0)
    present = Exposure(device="c0", candidate=True, since=10.0, until=100.0, incident_at=50.0)
    found = incidents.evidence([past, present, *a_fleet([], [5.0, None, 60.0])], 1.0)
    # At 5 nobody is updated, so the event says nothing; at 50 it is one of one and two; after it
    # nobody updated is left.
    logs = [g / (g + 2) / (1 / 3) for g in (1.5, 2, 3, 5, 10)]
    assert found.log_e_fail == pytest.approx(math.log(sum(logs) / 5))
    assert (found.events, found.candidate_events) == (3, 1)


def test_what_was_broken_before_the_watch_is_never_at_risk() -> None:
    broken = an_exposure("c9", candidate=True, struck=1.0, since=5.0)
    fleet = a_fleet([20.0, None], [None] * 4)
    with_it, without = incidents.evidence([*fleet, broken], 1.0), incidents.evidence(fleet, 1.0)
    assert with_it == without


def test_ties_stand_in_an_order_that_knows_no_arm() -> None:
    fleet = a_fleet([7.0, 7.0, None], [7.0, 7.0, None])
    renamed = [dataclasses.replace(one, candidate=not one.candidate) for one in fleet]
    assert incidents.evidence(fleet, 1.0).events == incidents.evidence(renamed, 1.0).events == 4


def test_at_the_null_the_expectation_is_one() -> None:
    # Three devices a side fail one after another, each next one by chance: all 720 orders.
    names = [("c", i) for i in range(3)] + [("b", i) for i in range(3)]
    total_fail = total_pass = 0.0
    for order in itertools.permutations(names):
        at = {name: float(place) for place, name in enumerate(order)}
        fleet = [
            an_exposure(f"{arm}{i}", candidate=arm == "c", struck=at[(arm, i)]) for arm, i in names
        ]
        found = incidents.evidence(fleet, 1.0)
        total_fail += math.exp(found.log_e_fail) / 720
        total_pass += math.exp(found.log_e_pass) / 720
    assert total_fail == pytest.approx(1.0)
    assert total_pass == pytest.approx(1.0)


def test_many_more_incidents_fail_and_as_many_fewer_pass() -> None:
    often = a_fleet([float(i) for i in range(15)] + [None] * 5, [None] * 40)
    assert incidents.evidence(often, 1.0).log_e_fail_robust > LIMIT
    seldom = a_fleet([None] * 40, [float(i) for i in range(15)] + [None] * 25)
    assert incidents.evidence(seldom, 2.0).log_e_pass > LIMIT


@pytest.mark.parametrize("ratio", [0.0, -1.0, math.inf, math.nan])
def test_a_ratio_that_is_none_is_refused(ratio: float) -> None:
    with pytest.raises(ValueError, match="largest ratio"):
        incidents.evidence([], ratio)


def test_time_runs_forward() -> None:
    backward = Exposure(device="d", candidate=True, since=2.0, until=1.0)
    with pytest.raises(ValueError, match="ends after it starts"):
        incidents.evidence([backward], 1.0)
