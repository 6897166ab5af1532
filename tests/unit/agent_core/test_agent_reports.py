"""What the device says of itself, and what it keeps until somebody listens."""

import errno
from pathlib import Path

import pytest

from shoal.agent.core.lives import State
from shoal.agent.core.reports import Facts, device_report
from shoal.agent.update.spool import BATCH_WINDOWS, Spool
from shoal.contract import digest
from shoal.contract.histogram import Histogram
from shoal.contract.limits import MESSAGE_TEXT_CHARS, SPOOL_WINDOWS
from shoal.contract.profile import HardwareProfile
from shoal.contract.reason import Reason
from shoal.contract.report import DeploymentReport, Phase
from shoal.contract.telemetry import TelemetryWindow
from tests.unit.agent_core.builders import an_assignment, blob
from tests.unit.agent_core.memory_disk import MemoryDisk
from tests.unit.agent_core.world import World

FOLDER = Path("/state/spool")
FACTS = Facts(
    device="one",
    boot_id="b",
    agent_version="0.1.0",
    hardware=HardwareProfile(
        arch="x86_64",
        cpu="test",
        cores=1,
        memory_bytes=1,
        disk_free_bytes=1,
        isa=(),
        engines=(),
        providers=(),
    ),
)


def reported(world: World) -> DeploymentReport:
    report = device_report(world.context, FACTS, sequence=1, spool_windows=0)
    assert len(report.deployments) == 1
    return report.deployments[0]


def serving() -> World:
    world = World()
    world.assign(an_assignment("a"))
    world.settle()
    return world


def test_a_device_without_assignments_reports_itself() -> None:
    report = device_report(World().context, FACTS, sequence=3, spool_windows=2)
    assert (report.device, report.sequence, report.spool_windows) == ("one", 3, 2)
    assert report.deployments == ()


def test_what_runs_is_told_beside_what_is_being_installed() -> None:
    world = serving()
    world.assign(an_assignment("b", generation=2))
    report = reported(world)
    assert (report.phase, report.generation, report.variant) == (Phase.PENDING, 2, blob("b"))
    assert (report.running, report.running_generation) == (blob("a"), 1)
    assert report.running_model == "digits"


def test_before_anything_runs_nothing_runs() -> None:
    world = World()
    world.assign(an_assignment("a"))
    report = reported(world)
    assert (report.running, report.running_generation, report.running_model) == (None, 0, "")


def test_a_slot_that_does_not_come_back_does_not_run() -> None:
    world = serving()
    world.engine_dies()
    assert reported(world).running == blob("a")  # it will, in a moment
    for _ in range(3):
        world.fail(world.pending[0], Reason.LOAD_FAILED)
    assert reported(world).running is None
    world.settle()
    assert reported(world).running == blob("a")


@pytest.mark.parametrize("state", list(State))
def test_every_state_has_a_phase_but_the_one_that_is_no_longer_assigned(state: State) -> None:
    assert (state.phase is None) == (state is State.REMOVING)


def test_a_deployment_that_leaves_is_not_spoken_of() -> None:
    world = serving()
    world.assign()
    assert device_report(world.context, FACTS, sequence=1, spool_windows=0).deployments == ()


def test_long_messages_are_cut() -> None:
    world = World()
    world.assign(an_assignment("a", deployment="default/" + "x" * (MESSAGE_TEXT_CHARS + 1)))
    assert len(reported(world).message) <= MESSAGE_TEXT_CHARS


# --- the spool ----------------------------------------------------------------------------------


def a_window(start_ms: int) -> TelemetryWindow:
    return TelemetryWindow(
        deployment="default/digits",
        variant=digest.of_bytes(b"a"),
        generation=1,
        start_ms=start_ms,
        duration_ms=1_000,
        requests=1,
        errors=0,
        latency_ms=Histogram(),
    )


def spool(disk: MemoryDisk, boot_id: str = "b1") -> Spool:
    return Spool(disk, FOLDER, device="one", boot_id=boot_id)


def test_nothing_touches_the_disk_while_the_controller_listens() -> None:
    disk = MemoryDisk()
    waiting = spool(disk)
    assert waiting.offer() is None
    for start_ms in range(5):
        waiting.add(a_window(start_ms))
        batch = waiting.offer()
        assert batch is not None
        waiting.done(batch)
    assert (waiting.windows, disk.operations) == (0, 0)


def test_a_batch_stays_the_same_until_it_is_done() -> None:
    waiting = spool(MemoryDisk())
    waiting.add(a_window(1))
    first = waiting.offer()
    waiting.add(a_window(2))
    assert waiting.offer() == first
    waiting.hold()
    assert waiting.offer() == first
    assert first is not None
    waiting.done(first)
    second = waiting.offer()
    assert second is not None
    assert [one.start_ms for one in second.windows] == [2]
    assert (first.sequence, second.sequence) == (1, 2)


def test_an_old_acknowledgement_changes_nothing() -> None:
    waiting = spool(MemoryDisk())
    waiting.add(a_window(1))
    first = waiting.offer()
    assert first is not None
    waiting.done(first)
    waiting.add(a_window(2))
    waiting.hold()
    waiting.done(first)
    assert waiting.windows == 1


def test_the_next_boot_sends_what_the_last_one_kept_under_its_name() -> None:
    disk = MemoryDisk()
    waiting = spool(disk)
    waiting.add(a_window(1))
    waiting.hold()
    waiting = spool(disk, "b2")
    waiting.add(a_window(2))
    batch = waiting.offer()
    assert batch is not None
    assert batch.boot_id == "b1"
    waiting.done(batch)
    batch = waiting.offer()
    assert batch is not None
    assert batch.boot_id == "b2"


def test_the_ring_is_bounded_and_loses_the_oldest() -> None:
    waiting = spool(MemoryDisk())
    for start_ms in range(SPOOL_WINDOWS + 2 * BATCH_WINDOWS):
        waiting.add(a_window(start_ms))
    assert waiting.windows <= SPOOL_WINDOWS
    batch = waiting.offer()
    assert batch is not None
    assert batch.windows[0].start_ms >= BATCH_WINDOWS


def test_half_a_file_is_thrown_away() -> None:
    disk = MemoryDisk()
    waiting = spool(disk)
    for start_ms in (1, 2):
        waiting.add(a_window(start_ms))
        waiting.hold()
    torn, _ = disk.names(FOLDER)
    disk.truncate(FOLDER / torn, 20)
    batch = waiting.offer()
    assert batch is not None
    assert batch.windows[0].start_ms == 2
    assert spool(disk).windows == 1
    disk.truncate(FOLDER / disk.names(FOLDER)[0], 20)
    assert spool(disk).windows == 0


class WornDisk(MemoryDisk):
    """Can be read only."""

    def remove(self, path: Path) -> None:
        raise OSError(errno.EROFS, f"read-only file system: {path}")


def test_a_worn_out_disk_costs_a_repetition_and_nothing_else() -> None:
    disk = MemoryDisk()
    before = spool(disk)
    before.add(a_window(1))
    before.hold()
    waiting = spool(WornDisk(entries=disk.entries), "b2")
    batch = waiting.offer()
    assert batch is not None
    waiting.done(batch)
    assert waiting.offer() is None
    disk.truncate(FOLDER / disk.names(FOLDER)[0], 20)
    assert spool(WornDisk(entries=disk.entries)).windows == 0


def test_a_full_disk_costs_telemetry_and_nothing_else() -> None:
    disk = MemoryDisk(full=True)
    waiting = spool(disk)
    waiting.add(a_window(1))
    waiting.hold()
    assert (waiting.windows, waiting.offer()) == (0, None)
