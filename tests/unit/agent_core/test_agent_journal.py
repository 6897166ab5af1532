"""The journal says what was last recorded, whatever happened to its end."""

import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoal.agent.core.saved import Saved
from shoal.agent.update import journal
from shoal.agent.update.journal import Journal
from tests.unit.agent_core.builders import an_assignment
from tests.unit.agent_core.memory_disk import MemoryDisk, PowerCutError
from tests.unit.agent_core.world import World

PATH = Path("/state/journal.jsonl")


def a_history() -> list[Saved]:
    """What an install, an update and a removal record, step by step."""
    world = World()
    history = []
    for assignments in ([an_assignment("a")], [an_assignment("b", generation=2)], []):
        world.assign(*assignments)
        history.append(world.durable)
        while world.pending:
            world.succeed(world.pending[0])
            history.append(world.durable)
    return history


HISTORY = a_history()


def test_an_empty_folder_is_an_empty_start() -> None:
    saved = Journal(MemoryDisk(), PATH).replay()
    assert saved.lives == ()
    assert saved.device.desired_version == 0


def test_every_step_is_there_after_a_power_cut() -> None:
    disk = MemoryDisk()
    written = Journal(disk, PATH)
    for saved in HISTORY:
        written.record(saved)
        assert Journal(disk.restarted(), PATH).replay() == saved


def test_what_has_not_changed_is_not_written() -> None:
    disk = MemoryDisk()
    written = Journal(disk, PATH)
    written.record(HISTORY[0])
    operations = disk.operations
    written.record(HISTORY[0])
    assert disk.operations == operations


@given(cut=st.integers(min_value=0, max_value=2_000_000))
def test_a_torn_end_costs_only_itself(cut: int) -> None:
    disk = MemoryDisk()
    written = Journal(disk, PATH)
    ends = [0]
    for saved in HISTORY:
        written.record(saved)
        ends.append(len(disk.read(PATH)))
    at = cut % ends[-1]
    disk.truncate(PATH, at)
    whole = sum(1 for end in ends[1:] if end <= at)
    reopened = Journal(disk, PATH)
    replayed = reopened.replay()
    assert replayed == (HISTORY[whole - 1] if whole else Journal(MemoryDisk(), PATH).replay())
    reopened.record(HISTORY[-1])
    assert Journal(disk, PATH).replay() == HISTORY[-1]


@given(place=st.integers(min_value=0, max_value=2_000_000), bit=st.integers(0, 7))
def test_a_damaged_line_costs_none_of_those_after_it(place: int, bit: int) -> None:
    disk = MemoryDisk()
    written = Journal(disk, PATH)
    *before, last = HISTORY[: len(HISTORY) // 2]
    for saved in before:
        written.record(saved)
    at = place % (len(disk.read(PATH)) - 1)  # all but the end of the line before the last
    written.record(last)
    content = bytearray(disk.read(PATH))
    content[at] ^= 1 << bit
    disk.truncate(PATH, 0)
    disk.append(PATH, bytes(content))
    assert Journal(disk, PATH).replay().lives == last.lives


def test_a_line_of_another_version_is_passed_over() -> None:
    disk = MemoryDisk()
    text = b'{"device":{"colour":"red"}}'
    disk.append(PATH, b"%08x %s\n" % (zlib.crc32(text), text))
    reopened = Journal(disk, PATH)
    assert reopened.replay().lives == ()
    reopened.record(HISTORY[0])
    assert Journal(disk, PATH).replay() == HISTORY[0]


def test_power_cuts_at_every_operation_leave_this_step_or_the_one_before() -> None:
    for cut_at in range(1, 60):
        disk = MemoryDisk(cut_at=cut_at)
        written = Journal(disk, PATH)
        done = [Journal(MemoryDisk(), PATH).replay()]
        try:
            for saved in HISTORY:
                done.append(saved)
                written.record(saved)
        except PowerCutError:
            assert Journal(disk.restarted(), PATH).replay() in done[-2:]


def test_a_full_disk_leaves_the_journal_as_it_was() -> None:
    disk = MemoryDisk()
    written = Journal(disk, PATH)
    written.record(HISTORY[0])
    disk.full = True
    with pytest.raises(OSError, match="no space"):
        written.record(HISTORY[1])
    disk.full = False
    assert Journal(disk, PATH).replay() == HISTORY[0]
    written.record(HISTORY[1])
    assert Journal(disk, PATH).replay() == HISTORY[1]


def test_a_long_journal_is_replaced_by_what_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "COMPACT_FROM_BYTES", 4_000)
    monkeypatch.setattr(journal, "COMPACT_RATIO", 2)
    disk = MemoryDisk()
    written = Journal(disk, PATH)
    for _ in range(5):
        for saved in HISTORY:
            written.record(saved)
            assert Journal(disk.restarted(), PATH).replay() == saved
    assert len(disk.read(PATH)) < 10_000
