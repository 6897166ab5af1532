"""Devices in sentences."""

import pytest

from shoal.controller.planning import naming
from tests.unit.planning.builders import SMALL, devices_of
from tests.unit.planning.worlds import Make


def test_few_devices_are_all_named() -> None:
    assert naming.listed(["a", "b"]) == "a, b"
    assert naming.listed([]) == ""
    assert naming.listed("abcdefghij") == "a, b, c, d, e, f, g, h, i, j"


def test_of_many_devices_the_first_are_named_and_the_others_counted() -> None:
    assert naming.listed("abcdefghijkl") == "a, b, c, d, e, f, g, h, i, j and 2 more"


@pytest.mark.parametrize(
    ("number", "what", "said"),
    [
        (0, "device", "0 devices"),
        (1, "device", "1 device"),
        (3, "device", "3 devices"),
        (1, "profile class", "1 profile class"),
        (2, "profile class", "2 profile classes"),
    ],
)
def test_what_is_counted_agrees_with_its_number(number: int, what: str, said: str) -> None:
    assert naming.counted(number, what) == said


def test_a_wave_of_one_device_is_told_in_the_singular(make: Make) -> None:
    world = make(fleet=devices_of(SMALL, 1))
    plan = world.turn()
    assert "revision 1: wave canary started: 1 device" in [one.message for one in plan.events]
