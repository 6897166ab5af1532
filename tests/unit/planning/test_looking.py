"""What devices are sorted by, and what they are not: a view is not made anew for nothing."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from shoal.contract.reason import Reason
from shoal.controller.domain.rollout import Progress
from shoal.controller.planning import closing, looking
from shoal.controller.planning.decisions import Held, Settled
from tests.unit.planning.worlds import Make, World, a_complete_world, a_second_rollout


@pytest.mark.parametrize("begin", [a_complete_world, a_second_rollout])
@pytest.mark.parametrize(
    "decision",
    [
        Held(reason=Reason.THRESHOLD_UNMET, message="too few"),
        Settled(reason=Reason.PAUSED, message="paused"),
        Settled(),
    ],
)
def test_a_hold_or_a_wait_sorts_no_device_anew(
    make: Make, begin: Callable[[Make], World], decision: Held | Settled
) -> None:
    world = begin(make)
    snapshot = world.snapshot()
    view = looking.look(snapshot, world.record)
    closed, _ = closing.close(snapshot, world.record, decision)
    assert looking.under(view, closed) == looking.look(snapshot, closed)


def test_the_mark_of_progress_sorts_no_device_anew(make: Make) -> None:
    world = a_second_rollout(make)
    snapshot = world.snapshot()
    view = looking.look(snapshot, world.record)
    marked = replace(world.record, progress=Progress(mark=(9, 9), at=world.now))
    assert looking.under(view, marked) == looking.look(snapshot, marked)


def test_what_was_told_sorts_devices_anew(make: Make) -> None:
    world = a_second_rollout(make)
    view = looking.look(world.snapshot(), world.record)
    forgotten = world.record.map_devices(lambda one: replace(one, told=None))
    assert looking.again(view, forgotten) == looking.look(world.snapshot(), forgotten)
    assert looking.again(view, world.record) is view
