"""Budgets that would starve every rollout are refused when they are applied."""

import pytest

from shoal.resources.parsing import parse
from tests.unit.resources.documents import DEPLOYMENT, DEVICE, refused, with_field

STARVING = [
    ("maxUnavailable", 0, "maxUnavailable"),
    ("maxUnavailable", "0%", "maxUnavailable"),
    ("maxUnavailablePer", {"site": 0}, "maxUnavailablePer.site"),
    ("maxUnavailablePer", {"site": "0%"}, "maxUnavailablePer.site"),
    ("maxDevices", 0, "maxDevices"),
    ("ratePerMinute", 0, "ratePerMinute"),
    ("rateRamp", {"start": 1}, "rateRamp"),
    ("window", {"cron": "0 0 31 4 *", "duration": "1h"}, "window"),
    ("window", {"cron": "every night", "duration": "1h"}, "window"),
    ("window", {"cron": "0 2 * * *", "duration": "0s"}, "window"),
    ("window", {"cron": "0 2 * * *", "duration": "1h", "timeZone": "Mars/Olympus"}, "window"),
]


@pytest.mark.parametrize(("field", "value", "place"), STARVING)
def test_a_budget_that_starves_every_rollout_is_refused(
    field: str, value: object, place: str
) -> None:
    problem = refused(with_field(DEPLOYMENT, f"spec.strategy.{field}", value))
    assert problem.reason == "Invalid"
    assert problem.field == f"spec.strategy.{place}"


def test_counts_beyond_any_fleet_are_refused() -> None:
    for field in ("ratePerMinute", "maxUnavailable", "maxFailures"):
        problem = refused(with_field(DEPLOYMENT, f"spec.strategy.{field}", 10**400))
        assert problem.field == f"spec.strategy.{field}"
    waves = [{"name": "all", "size": 10**400}]
    problem = refused(with_field(DEPLOYMENT, "spec.strategy.waves", waves))
    assert problem.field == "spec.strategy.waves[0].size"


def test_a_ramp_does_not_start_beyond_its_rate() -> None:
    document = with_field(DEPLOYMENT, "spec.strategy.ratePerMinute", 5)
    problem = refused(with_field(document, "spec.strategy.rateRamp", {"start": 6}))
    assert problem.field == "spec.strategy.rateRamp.start"


def test_windows_rates_group_budgets_and_selectors_are_accepted() -> None:
    strategy = {
        "window": {"cron": "0 2 * * SAT", "duration": "4h", "timeZone": "Europe/Berlin"},
        "ratePerMinute": 60,
        "rateRamp": {},
        "maxUnavailablePer": {"site": 1},
        "maxDevices": 100,
        "verdictsPer": ["site"],
        "waves": [
            {"name": "lab", "size": "100%", "selector": {"matchLabels": {"site": "lab"}}},
            {"name": "all", "size": "100%"},
        ],
    }
    spec = parse(with_field(DEPLOYMENT, "spec.strategy", strategy)).spec["strategy"]
    assert spec["rateRamp"] == {"start": 1, "factor": 2.0, "perConfirmed": 10}
    assert spec["waves"][0]["selector"]["matchLabels"] == {"site": "lab"}


def test_a_device_has_a_window_a_profile_and_may_be_suspended() -> None:
    spec = {
        "profile": "camera-small",
        "maintenanceWindow": {"cron": "0 3 * * *", "duration": "30m"},
        "suspended": True,
    }
    stored = parse(with_field(DEVICE, "spec", spec)).spec
    assert stored["maintenanceWindow"]["timeZone"] == "UTC"
    assert (stored["profile"], stored["suspended"]) == ("camera-small", True)
    bad = with_field(DEVICE, "spec.maintenanceWindow", {"cron": "0 3 * *", "duration": "30m"})
    assert refused(bad).field == "spec.maintenanceWindow"
