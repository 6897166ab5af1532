"""Devices in sentences."""

from shoal.controller.planning import naming


def test_few_devices_are_all_named() -> None:
    assert naming.listed(["a", "b"]) == "a, b"
    assert naming.listed([]) == ""
    assert naming.listed("abcdefghij") == "a, b, c, d, e, f, g, h, i, j"


def test_of_many_devices_the_first_are_named_and_the_others_counted() -> None:
    assert naming.listed("abcdefghijkl") == "a, b, c, d, e, f, g, h, i, j and 2 more"
