"""Budgets and verdicts per value of a label (design: section 6 points 6 and 8)."""

from dataclasses import replace

from shoal.contract.report import Phase
from shoal.controller.domain.fleet import DeviceView
from shoal.controller.domain.rollout import Verb
from shoal.controller.domain.strategy import Amount, LabelBudget, Scope
from tests.unit.planning.builders import (
    ACCURACY,
    RIGHT,
    SMALL,
    WRONG,
    a_strategy,
    a_wave,
    devices_of,
    share,
    variant,
)
from tests.unit.planning.worlds import Make, World, a_complete_world, a_second_rollout

ALL = (a_wave("all", 100),)
ONE_A_SITE = (LabelBudget(label="site", amount=Amount(count=1)),)


def at_sites(**counts: int) -> list[DeviceView]:
    """`small-0`… of which the first are at the first site, and so on."""
    sites = [site for site, count in counts.items() for _ in range(count)]
    devices = devices_of(SMALL, len(sites))
    return [
        replace(one, labels=(("site", site),)) for one, site in zip(devices, sites, strict=True)
    ]


def apart(devices: list[DeviceView]) -> list[DeviceView]:
    """The same with a cohort for each site."""
    return [replace(one, cohort=replace(SMALL, labels=one.labels)) for one in devices if one.cohort]


def busy(world: World, site: str) -> set[str]:
    """The devices of a site that were told and have not come to an end."""
    return {
        one
        for one in world.targets()
        if dict(world.device(one).labels).get("site") == site and one in set(world.pending())
    }


def test_no_more_devices_of_a_group_are_unavailable_than_its_budget_allows(make: Make) -> None:
    strategy = a_strategy(waves=ALL, max_unavailable_per=ONE_A_SITE)
    world = make(strategy=strategy, fleet=at_sites(north=4, south=2))
    world.turn()
    for _ in range(10):
        assert max(len(busy(world, "north")), len(busy(world, "south"))) <= 1
        world.confirm(*world.pending())
        world.turn(1.0)
    assert world.status == "complete"


def test_devices_without_the_label_are_a_group_of_their_own(make: Make) -> None:
    strategy = a_strategy(waves=ALL, max_unavailable_per=ONE_A_SITE)
    world = make(strategy=strategy, fleet=[*at_sites(north=1), *devices_of(SMALL, 3)[1:]])
    world.turn()
    assert len(world.fresh()) == 2


def test_a_group_waits_for_its_own_devices_only_and_says_so(make: Make) -> None:
    strategy = a_strategy(waves=ALL, max_unavailable_per=ONE_A_SITE)
    world = a_complete_world(make, strategy=strategy, fleet=at_sites(north=2, south=2))
    world.publish()
    world.change("small-0", ready=False)
    world.turn(1.0)
    # At the site with the device that is down, that one goes first: it costs nothing.
    assert "small-0" in world.fresh()
    assert "small-1" not in world.fresh()
    assert set(world.fresh()) & {"small-2", "small-3"}


def test_where_a_group_is_starved_the_canary_is_a_device_that_is_down(make: Make) -> None:
    strategy = a_strategy(max_unavailable_per=ONE_A_SITE)
    for down in ("small-0", "small-1", "small-2"):
        world = a_complete_world(make, strategy=strategy, fleet=at_sites(north=3))
        world.change(down, ready=False)
        world.publish()
        world.turn(1.0)
        assert world.fresh() == [down]


def test_a_group_budget_of_a_few_percent_still_lets_one_device_change(make: Make) -> None:
    per_site = (LabelBudget(label="site", amount=share(1)),)
    strategy = a_strategy(waves=ALL, max_unavailable_per=per_site)
    world = make(strategy=strategy, fleet=at_sites(north=2))
    world.finish()
    assert world.status == "complete"


def test_devices_that_go_back_keep_to_the_budget_of_their_group(make: Make) -> None:
    strategy = a_strategy(waves=ALL)
    world = a_complete_world(make, strategy=strategy, fleet=at_sites(north=4))
    world.edit(max_unavailable_per=ONE_A_SITE)
    world.finish()
    world.publish()
    world.finish()
    world.ask(Verb.UNDO)
    world.turn(1.0)
    assert len(world.fresh()) == 1
    world.finish()
    assert world.status == "complete"


def test_each_value_of_a_judged_label_has_a_canary_and_a_verdict_of_its_own(make: Make) -> None:
    strategy = a_strategy(gates=(ACCURACY,), scope=Scope.COHORT)
    world = a_second_rollout(make, strategy=strategy, fleet=apart(at_sites(north=9, south=1)))
    assert len(world.fresh()) == 2
    bad = next(one for one in world.fresh() if ("site", "south") in world.device(one).labels)
    good = next(one for one in world.fresh() if one != bad)
    world.soak(bad, answers=WRONG, past=RIGHT)
    world.soak(good, past=RIGHT)
    world.turn(1.0)
    assert [one.name for one in world.plan.status.cohorts] == [
        "small/site=north",
        "small/site=south",
    ]
    assert world.targets()[bad].variant == variant(1, 100)
    world.confirm(good)
    world.finish()
    assert world.status == "complete"
    assert world.targets()[good].variant == variant(2, 100)


def test_a_few_bad_devices_cannot_hide_in_the_mean(make: Make) -> None:
    strategy = a_strategy(waves=ALL, max_failures=share(20), success_threshold_ppm=800_000)
    fleets = (at_sites(north=9, south=1), apart(at_sites(north=9, south=1)))
    results = []
    for fleet in fleets:
        world = make(strategy=strategy, fleet=fleet)
        world.turn()
        world.report("small-9", Phase.FAILED, reason="FetchFailed", message="it broke")
        world.confirm(*(one for one in world.fresh() if one != "small-9"))
        world.turn(1.0)
        results.append(world.status)
    assert results == ["complete", "failed"]


def test_a_device_stays_at_home_when_labels_begin_to_be_judged_apart(make: Make) -> None:
    world = a_complete_world(make, fleet=at_sites(north=2, south=2))
    world.fleet = apart(world.fleet)
    world.edit(verdicts_per=("site",))
    world.finish()
    assert len(world.plan.status.cohorts) == 2
    world.ask(Verb.UNDO, to_revision=1)
    world.finish()
    assert world.status == "complete"
    assert [one.name for one in world.plan.status.cohorts] == ["small"]


def test_a_label_that_makes_too_many_cohorts_starts_nothing(make: Make) -> None:
    keys = [replace(SMALL, labels=(("serial", str(i)),)) for i in range(65)]
    fleet = [DeviceView(name=f"small-{i}", cohort=key) for i, key in enumerate(keys)]
    world = make(fleet=fleet)
    world.turn()
    assert (world.status, world.reason) == ("", "TooManyCohorts")
    assert not world.targets()
