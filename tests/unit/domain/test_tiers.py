"""Speed tiers: when devices of one hardware are told apart, and when they stay as they are."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoal.controller.domain import tiers
from shoal.controller.domain.tiers import Tiers

NONE = Tiers()


def fleet(*groups: tuple[int, float]) -> dict[str, float]:
    """So many devices of each speed, a1, a2, … of the first, b1, … of the second."""
    return {
        f"{chr(ord('a') + which)}{number}": score
        for which, (count, score) in enumerate(groups)
        for number in range(1, count + 1)
    }


def test_the_example_of_two_tiers() -> None:
    two = tiers.clustered(fleet((20, 1000), (10, 500)), NONE)
    assert two.anchors == (349, 314)
    assert dict(two.devices)["a1"] == 349
    assert dict(two.devices)["b10"] == 314


@pytest.mark.parametrize(("score", "anchor"), [(690, 349), (650, 349), (600, 314), (500, 314)])
def test_a_device_stays_until_it_is_clearly_across_the_border(score: float, anchor: int) -> None:
    scores = fleet((20, 1000), (10, 500))
    before = tiers.clustered(scores, NONE)
    after = tiers.clustered({**scores, "a1": score}, before)
    assert after.anchors == before.anchors
    assert dict(after.devices)["a1"] == anchor


def test_a_new_device_joins_the_nearest() -> None:
    scores = fleet((20, 1000), (10, 500))
    before = tiers.clustered(scores, NONE)
    after = tiers.clustered({**scores, "new": 690}, before)
    assert dict(after.devices)["new"] == 314


@pytest.mark.parametrize(
    "scores",
    [
        {},
        fleet((8, 1000), (3, 500)),  # a small fleet
        fleet((28, 1000), (2, 300)),  # two that are ill are no class
        fleet((15, 1000), (15, 720)),  # little spread
        fleet((30, 1000)),
        fleet((30, 0)),  # nothing measured
    ],
)
def test_one_tier_as_ever(scores: dict[str, float]) -> None:
    assert tiers.clustered(scores, NONE) == NONE


def test_ordinary_noise_makes_no_tiers() -> None:
    rng = random.Random(1)
    scores = {str(i): 1000 * rng.lognormvariate(0, 0.1) for i in range(500)}
    assert tiers.clustered(scores, NONE) == NONE


def test_never_more_than_three() -> None:
    found = tiers.clustered(fleet((20, 8000), (20, 4000), (20, 2000), (20, 1000)), NONE)
    assert len(found.anchors) == 3


def test_tiers_stay_where_they_would_not_be_founded() -> None:
    before = tiers.clustered(fleet((20, 1000), (10, 500)), NONE)
    nearer = fleet((20, 1000), (10, 690))
    assert tiers.clustered(nearer, NONE) == NONE
    assert len(tiers.clustered(nearer, before).anchors) == 2
    assert tiers.clustered(fleet((20, 1000), (10, 900)), before) == NONE
    few = fleet((5, 1000), (2, 500))
    assert tiers.clustered(few, NONE) == NONE
    assert tiers.clustered(few, before).anchors == before.anchors
    assert tiers.clustered(fleet((3, 1000), (2, 500)), before) == NONE


def test_a_faster_tier_leaves_the_others_their_names() -> None:
    before = tiers.clustered(fleet((20, 1000), (10, 500)), NONE)
    after = tiers.clustered(fleet((20, 1000), (10, 500), (10, 2500)), before)
    assert after.anchors[1:] == before.anchors
    assert dict(after.devices) | dict(before.devices) == dict(after.devices)


def test_a_slow_drift_of_all_moves_nobody_for_a_while() -> None:
    before = tiers.clustered(fleet((20, 1000), (10, 500)), NONE)
    assert tiers.clustered(fleet((20, 900), (10, 450)), before) == before


scores_of = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=3), st.floats(0, 1e12), max_size=60
)


@given(scores_of, scores_of)
def test_a_second_look_changes_nothing(first: dict[str, float], then: dict[str, float]) -> None:
    before = tiers.clustered(first, NONE)
    after = tiers.clustered(then, before)
    assert tiers.clustered(then, after) == after
    assert {anchor for _, anchor in after.devices} <= set(after.anchors)
    assert len(after.anchors) <= tiers.MOST
    turned = dict(reversed(then.items()))
    assert tiers.clustered(turned, before) == after
