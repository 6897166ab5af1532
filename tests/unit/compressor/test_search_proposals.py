"""Which narrower net comes next, and how much work it is: values in, values out."""

from dataclasses import replace

import pytest

from shoal.compressor.network.cut import Importance, Scope
from shoal.compressor.search import proposals
from shoal.compressor.search.proposals import Kind, Outcome, Setting, Space, Way
from shoal.compressor.search.work import Load

MAGNITUDE = Way(kind=Kind.PRUNE)
GLOBAL = Way(kind=Kind.PRUNE, scope=Scope.GLOBAL)
STUDENT = Way(kind=Kind.DISTILL)
GRAIN = 1 / 32


def a_space(*ways: Way, further: bool = False, grain: float = GRAIN) -> Space:
    return Space(ways=ways or (MAGNITUDE,), grain=grain, seed=0, further=further)


def an_outcome(way: Way, ratio: float, margin: float | None) -> Outcome:
    setting = Setting(way=way, ratio=ratio)
    return Outcome(setting=setting, margin=margin, weights=(1 - ratio) ** 2, cost=1 - ratio)


def searched(space: Space, bears: dict[Way, float], most: int = 40) -> list[Setting]:
    """Everything that is proposed where each way bears ratios up to its own."""
    outcomes: list[Outcome] = []
    while len(outcomes) < most:
        setting = proposals.propose(space, outcomes)
        if setting is None:
            break
        margin = round((bears[setting.way] - setting.ratio) / 10, 6)
        outcomes.append(replace(an_outcome(setting.way, setting.ratio, margin), setting=setting))
    return [outcome.setting for outcome in outcomes]


def test_the_first_nets_span_sizes() -> None:
    ratios = [setting.ratio for setting in searched(a_space(), {MAGNITUDE: 0.9}, most=3)]
    assert ratios == [0.5, 0.75, 0.25]


def test_a_wider_net_that_failed_rules_out_the_narrower_ones_of_the_ladder() -> None:
    outcomes = [an_outcome(MAGNITUDE, 0.5, -0.1)]
    assert proposals.propose(a_space(), outcomes) == Setting(way=MAGNITUDE, ratio=0.25)


@pytest.mark.parametrize("bears", [0.35, 0.52, 0.66, 0.81, 0.89])
def test_bisection_finds_the_narrowest_net_to_the_grain(bears: float) -> None:
    settings = searched(a_space(), {MAGNITUDE: bears})
    held = [setting.ratio for setting in settings if setting.ratio <= bears]
    assert 0 <= bears - max(held) < GRAIN
    assert len(settings) == len(set(settings)) <= 9


def test_the_middle_is_that_of_widths_on_a_logarithmic_scale() -> None:
    outcomes = [
        an_outcome(MAGNITUDE, 0.5, 0.1),
        an_outcome(MAGNITUDE, 0.25, 0.1),
        an_outcome(MAGNITUDE, 0.6, 0.05),
        an_outcome(MAGNITUDE, 0.7, -0.1),
        an_outcome(MAGNITUDE, 0.75, -0.1),
    ]
    found = proposals.propose(a_space(grain=0.05), outcomes)
    assert found == Setting(way=MAGNITUDE, ratio=0.65)  # sqrt(0.4 * 0.3) = 0.35 of the width


def test_another_way_starts_where_the_first_ended() -> None:
    settings = searched(a_space(MAGNITUDE, GLOBAL), {MAGNITUDE: 0.66, GLOBAL: 0.74})
    first, *others = [setting.ratio for setting in settings if setting.way == GLOBAL]
    assert first == 0.6562  # 21 of 32, to four digits
    assert max(ratio for ratio in others if ratio <= 0.74) == 0.7188


def test_another_way_that_is_worse_is_soon_left_alone() -> None:
    settings = searched(a_space(MAGNITUDE, STUDENT), {MAGNITUDE: 0.8, STUDENT: 0.4})
    assert sum(setting.way == STUDENT for setting in settings) == 2


def test_nets_that_cannot_be_made_end_the_search() -> None:
    outcomes = [an_outcome(MAGNITUDE, 0.5, None), an_outcome(MAGNITUDE, 0.3, None)]
    assert proposals.propose(a_space(further=True), outcomes) is None


def test_without_a_way_there_is_nothing_to_propose() -> None:
    space = Space(ways=(), grain=GRAIN, seed=0, further=True)
    assert proposals.propose(space, []) is None


def test_the_sampler_goes_on_with_new_settings_near_the_best_and_repeats_itself() -> None:
    bears = {MAGNITUDE: 0.8, GLOBAL: 0.7}
    space = a_space(MAGNITUDE, GLOBAL, further=True)
    bisected = searched(a_space(MAGNITUDE, GLOBAL), bears)
    settings = searched(space, bears, most=len(bisected) + 4)
    sampled = settings[len(bisected) :]
    assert settings[: len(bisected)] == bisected
    assert len(sampled) == 4
    assert not set(sampled) & set(bisected)
    assert all(0.68 <= setting.ratio <= 0.875 for setting in sampled)
    assert searched(space, bears, most=len(settings)) == settings


def test_ways_have_names_of_their_own() -> None:
    taylor = Way(kind=Kind.PRUNE, importance=Importance.TAYLOR)
    assert len({way.name for way in (MAGNITUDE, GLOBAL, STUDENT, taylor)}) == 4


def test_work_shrinks_with_width_and_grows_with_steps() -> None:
    load = Load(sums=1_000_000, bytes=100_000, nodes=10, weights=50_000)
    whole, half = load.training_s(1.0, 400, 64), load.training_s(0.5, 400, 64)
    assert half < whole < 4 * half
    assert load.training_s(1.0, 800, 64) > 1.8 * whole
    sums_alone = Load(sums=10**9, bytes=0, nodes=0, weights=0)
    ratio = sums_alone.training_s(1.0, 400, 64) / sums_alone.training_s(0.5, 400, 64)
    assert ratio == pytest.approx(4, rel=0.01)
