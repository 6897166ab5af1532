from datetime import UTC, datetime

import pytest

from shoal.contract.windows import Window, checked, closes_at, is_open, opens_at

NIGHT = Window(cron="0 1 * * SUN", duration_s=4 * 3600, time_zone="Europe/Berlin")


def at(text: str) -> float:
    """UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def test_a_window_is_open_from_its_line_for_its_duration() -> None:
    begin, end = at("2026-11-22 00:00"), at("2026-11-22 04:00")  # Berlin is an hour ahead
    assert not is_open(NIGHT, begin - 0.001)
    assert closes_at(NIGHT, begin) == end
    assert is_open(NIGHT, end - 0.001)
    assert not is_open(NIGHT, end)
    assert opens_at(NIGHT, end) == at("2026-11-29 00:00")
    assert is_open(None, begin)


def test_the_clock_of_the_zone_says_when_and_real_time_how_long() -> None:
    # Clocks go from 2:00 to 3:00: four hours after 1:00 it is 6:00 there, 4:00 UTC.
    assert closes_at(NIGHT, at("2027-03-28 00:00")) == at("2027-03-28 04:00")
    assert opens_at(NIGHT, at("2027-03-28 00:00")) == at("2027-04-03 23:00")


def test_an_hour_that_comes_twice_opens_once_and_one_that_is_left_out_opens_late() -> None:
    twice = Window(cron="30 2 * * *", duration_s=600, time_zone="Europe/Berlin")
    first, second = at("2026-10-25 00:30"), at("2026-10-25 01:30")  # 2:30 before and after
    assert is_open(twice, first)
    assert not is_open(twice, second)
    assert opens_at(twice, second) == at("2026-10-26 01:30")
    assert opens_at(twice, at("2027-03-28 00:00")) == at("2027-03-28 01:00")  # at 3:00 there


def test_openings_that_overlap_leave_no_gap() -> None:
    often = Window(cron="0 * * * *", duration_s=2 * 3600)
    for minute in range(0, 180, 7):
        assert is_open(often, at("2026-11-22 00:00") + 60 * minute)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"cron": "0 0 30 2 *"}, "not a cron line"),
        ({"cron": "0 0 29 2 MON#6"}, "not a cron line"),
        ({"cron": "0 0 * *"}, "minute, hour, day, month and weekday"),
        ({"duration_s": 0.0}, "never open"),
        ({"time_zone": "Mars/Olympus"}, "not a time zone"),
        ({"time_zone": "../etc/passwd"}, "not a time zone"),
    ],
)
def test_a_window_that_never_opens_is_refused(changes: dict[str, object], words: str) -> None:
    fields: dict[str, object] = {"cron": "0 2 * * *", "duration_s": 60.0, **changes}
    with pytest.raises(ValueError, match=words):
        checked(Window(**fields))  # type: ignore[arg-type]
