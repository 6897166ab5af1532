"""A plan tells what the planner would do, and is what then happens."""

from dataclasses import replace

from shoal.contract.budget import Budget
from shoal.contract.windows import Window
from shoal.controller.deciding.foreseeing import Change, DeviceForecast, Forecast, forecast
from shoal.controller.deciding.rehearsing import End
from shoal.controller.domain.fleet import CohortKey, DeviceView
from shoal.controller.domain.rollout import Verb
from shoal.controller.domain.strategy import Approval, Ppm, Rate
from tests.unit.planning.builders import (
    ACCURACY,
    CLASS,
    LARGE,
    OTHER_CLASS,
    a_strategy,
    a_wave,
    devices_of,
    nine_devices,
    share,
    variant,
)
from tests.unit.planning.worlds import World

TINY = CohortKey(profile_class=CLASS, budget=Budget(artifact_bytes=10), profile="tiny")
WAVES = (("canary", 10), ("half", 50), ("all", 100))
NIGHT = Window(cron="0 2 * * *", duration_s=3600.0)
NOON = 1_800_014_400.0  # 12:00 UTC
ELSEWHERE = CohortKey(profile_class=OTHER_CLASS, budget=Budget(), profile="elsewhere")


def foreseen(world: World) -> Forecast:
    return forecast(world.snapshot())


def of(found: Forecast, device: str) -> DeviceForecast:
    return next(one for one in found.devices if one.device == device)


def test_every_device_is_foretold_the_variant_that_it_then_gets() -> None:
    world = World()
    found = foreseen(world)
    assert found.starts
    assert found.rehearsal is not None
    assert found.rehearsal.end is End.COMPLETE
    assert not found.starved
    world.finish()
    assert {one.device: one.variant for one in found.devices} == {
        name: one.variant for name, one in world.targets().items()
    }
    assert all(one.change is Change.NEW for one in found.devices)


def test_waves_are_foretold_as_they_come() -> None:
    world = World()
    found = foreseen(world)
    world.turn()
    canaries = {one.device for one in found.devices if one.wave == "canary"}
    assert canaries == set(world.fresh())
    assert sorted(one.wave for one in found.devices) == ["all"] * 3 + ["canary"] * 3 + ["half"] * 3


def test_a_refusal_leads_to_what_was_foretold_as_a_fall() -> None:
    world = World()
    found = foreseen(world)
    world.turn()
    world.refuse(world.canaries()["small"])
    world.finish()
    for name, target in world.targets().items():
        told = of(found, name)
        assert target.variant in {told.variant, *told.may_fall_to}
    fallen = of(found, "small-0")
    assert world.targets()["small-0"].variant == fallen.may_fall_to[0]


def test_nothing_to_do_is_told_as_keeping() -> None:
    world = World()
    world.finish()
    found = foreseen(world)
    assert not found.starts
    assert found.rehearsal is None
    assert {one.change for one in found.devices} == {Change.KEEPS}


def test_what_does_not_fit_is_told_with_the_nearest_miss() -> None:
    world = World(fleet=[*nine_devices(), *devices_of(TINY, 2)])
    found = of(foreseen(world), "tiny-1")
    assert (found.variant, found.change, found.reason) == (
        None,
        Change.NOTHING,
        "NoFeasibleVariant",
    )
    assert found.message == "artifact is 80 B at best, the limit is 10 B"


def test_a_device_that_has_not_spoken_or_is_still_searched_for_says_so() -> None:
    silent = DeviceView(name="silent", cohort=None)
    lost = replace(devices_of(ELSEWHERE, 1)[0], ready=False)
    world = World(fleet=[*nine_devices(), silent])
    assert of(foreseen(world), "silent").reason == "NeverReported"
    world = World(fleet=[*nine_devices(), lost])
    found = foreseen(world)
    assert found.plan.record.current is None
    assert of(found, "elsewhere-0").reason == "ModelNotReady"
    assert "searched for" in of(found, "small-0").message


def test_a_device_that_is_no_longer_selected_is_withdrawn() -> None:
    world = World()
    world.finish()
    world.change("small-1", selected=False)
    found = of(foreseen(world), "small-1")
    assert (found.change, found.variant, found.current) == (Change.WITHDRAWN, None, variant(1, 100))


def test_lost_devices_starve_the_quorum() -> None:
    world = World()
    world.finish()
    world.publish()
    world.lose("small-0", "small-1")
    (cause,) = foreseen(world).starved
    assert (cause.by, cause.reason) == ("quorum", "QuorumMissing")
    assert "lost: small-0" in cause.message or "small-1" in cause.message


def test_the_example_of_the_documentation() -> None:
    waves = tuple(a_wave(name, size, soak_s=30.0) for name, size in WAVES)
    strategy = a_strategy(waves=waves, quorum_ppm=Ppm(900_000))
    world = World(fleet=devices_of(LARGE, 9), strategy=strategy)
    world.lose("large-3", "large-7")
    found = foreseen(world)
    assert found.rehearsal is not None
    assert (found.rehearsal.end, found.rehearsal.seconds) == (End.STANDS, 60.0)
    (cause,) = found.starved
    assert (cause.by, "7 of 9 devices" in cause.message) == ("quorum", True)


def test_a_pause_stands_in_the_way_and_is_named() -> None:
    world = World()
    world.turn()
    world.ask(Verb.PAUSE)
    found = foreseen(world)
    assert [one.by for one in found.starved] == ["pause"]


def test_a_conflict_that_keeps_a_first_rollout_from_starting_is_named() -> None:
    world = World(fleet=[])
    (cause,) = foreseen(world).starved
    assert (cause.by, cause.reason) == ("selector", "NoDevices")


def test_manual_approvals_are_waits_and_not_obstacles() -> None:
    waves = (a_wave("canary", 10), a_wave("all", 100, approval=Approval.MANUAL))
    found = foreseen(World(strategy=a_strategy(waves=waves)))
    assert found.rehearsal is not None
    assert found.rehearsal.end is End.COMPLETE
    assert [one.reason for one in found.rehearsal.waits] == ["ApprovalMissing"]


def test_a_rehearsal_is_not_held_by_gates_that_nobody_can_foresee() -> None:
    found = foreseen(World(strategy=a_strategy(gates=(ACCURACY,))))
    assert found.rehearsal is not None
    assert found.rehearsal.end is End.COMPLETE


def test_a_rehearsal_takes_as_long_as_the_soaks_under_max_unavailable() -> None:
    # Two at a time of nine: canaries 2 + 1, then 3 more in 2 + 1, then 3 more: six soaks of 10 s.
    found = foreseen(World(strategy=a_strategy(max_unavailable=share(25))))
    assert found.rehearsal is not None
    assert found.rehearsal.seconds == 60.0


def test_a_rate_is_foreseen_as_waits() -> None:
    found = foreseen(World(strategy=a_strategy(rate=Rate(per_minute=2))))
    assert found.rehearsal is not None
    assert found.rehearsal.end is End.COMPLETE
    assert not found.starved
    # Nine devices at two a minute: the ninth is told in the fifth minute.
    assert max(one.after_s for one in found.rehearsal.told) >= 240.0


def test_a_closed_window_is_a_wait_and_not_an_obstacle() -> None:
    found = foreseen(World(strategy=a_strategy(window=NIGHT), now=NOON))
    assert found.rehearsal is not None
    assert found.rehearsal.end is End.COMPLETE
    (wait,) = found.rehearsal.waits
    assert (wait.reason, wait.seconds) == ("OutsideWindow", 14 * 3600.0)


def test_windows_that_never_meet_starve_the_rollout() -> None:
    world = World(strategy=a_strategy(window=NIGHT), now=NOON)
    for name in ("small-0", "small-1", "small-2"):
        world.change(name, window=replace(NIGHT, cron="0 6 * * *"))
    found = foreseen(world)
    assert found.rehearsal is not None
    assert found.rehearsal.end is End.STANDS
    assert {one.by for one in found.starved} == {"window"}


def test_a_rehearsal_that_is_cut_off_knows_the_waves_all_the_same() -> None:
    snapshot = World(strategy=a_strategy(rate=Rate(per_minute=1))).snapshot()
    whole, cut = forecast(snapshot), forecast(snapshot, device_turns=1)
    assert whole.rehearsal is not None
    assert cut.rehearsal is not None
    assert (whole.rehearsal.end, cut.rehearsal.end) == (End.COMPLETE, End.NOT_FOLLOWED)
    assert [one.wave for one in cut.devices] == [one.wave for one in whole.devices]
    assert {one.after_s for one in whole.devices} > {one.after_s for one in cut.devices} - {None}


def test_foreseeing_changes_nothing() -> None:
    world = World()
    snapshot = world.snapshot()
    assert forecast(snapshot) == forecast(snapshot)
    assert snapshot == world.snapshot()
