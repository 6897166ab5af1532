from typing import Any

import pytest

from shoal.cli.bands import band

GATE: dict[str, Any] = {"value": 1.04, "interval": [0.97, 1.12], "limit": 1.5}


def test_the_worked_example() -> None:
    text = band(GATE)
    picture, _, words = text.partition("  ")
    assert words == "0.97 to 1.12, limit 1.5"
    assert len(picture) == 32
    assert picture.index("━") < picture.index("●") < picture.rindex("━") < picture.index("┃")


def test_a_limit_inside_the_interval_is_drawn_inside() -> None:
    picture = band({"value": 0.02, "interval": [-0.01, 0.05], "limit": 0.03}).partition("  ")[0]
    assert picture.index("━") < picture.index("┃") < picture.rindex("━")


def test_a_minimum_says_so() -> None:
    assert band({**GATE, "bound": "min"}).endswith("at least 1.5")


@pytest.mark.parametrize("missing", ["value", "interval", "limit"])
def test_without_numbers_there_is_no_band(missing: str) -> None:
    assert band({**GATE, missing: None}) == ""


def test_equal_numbers_have_a_band_too() -> None:
    assert "┃" in band({"value": 0.0, "interval": [0.0, 0.0], "limit": 0.0})


def test_it_fits_beside_the_branches_of_a_tree() -> None:
    wide = {"value": -1234567.0, "interval": [-9876543.0, 12345.0], "limit": 0.000123}
    assert len(band(wide)) <= 72
