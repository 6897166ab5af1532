from typing import Any

import pytest

from shoal.contract.problem import InvalidError
from shoal.contract.windows import Window
from shoal.controller.domain.gating import Metric, OnInconclusive
from shoal.controller.domain.strategy import (
    Amount,
    Approval,
    LabelBudget,
    Ppm,
    Ramp,
    Rate,
    Scope,
    amount_from_json,
    ppm_from_text,
    strategy_from_json,
)


def a_spec(**changes: Any) -> dict[str, Any]:
    """The strategy of contracts section 4 with every default."""
    wave = {"soak": "30s", "maxSoak": "5m", "approval": "auto", "selector": None}
    strategy = {
        "waves": [
            {"name": "canary", "size": "10%", **wave},
            {"name": "half", "size": 4, **wave, "approval": "manual"},
            {"name": "all", "size": "100%", **wave},
        ],
        "successThreshold": "90%",
        "maxFailures": "10%",
        "quorum": "50%",
        "maxUnavailable": "25%",
        "ratePerMinute": None,
        "deviceTimeout": "10m",
        "window": None,
        "gates": [
            {
                "metric": "accuracy",
                "maxDrop": 0.02,
                "maxRatio": None,
                "minSamples": 30,
                "alpha": 0.05,
                "onInconclusive": "rollback",
            },
            {"metric": "latency.p95", "maxRatio": 1.5},
            {"metric": "restarts", "max": 0},
        ],
        "onFailure": {"action": "rollback", "scope": "cohort"},
        "progressDeadline": "10m",
        "onDeadline": "hold",
    }
    return {"strategy": {**strategy, **changes}}


def test_the_printed_strategy_is_read() -> None:
    strategy = strategy_from_json(a_spec())
    canary, half, _ = strategy.waves
    assert (canary.soak_s, canary.max_soak_s, canary.approval) == (30.0, 300.0, Approval.AUTO)
    assert (half.size, half.approval) == (Amount(count=4), Approval.MANUAL)
    assert strategy.success_threshold_ppm == 900_000
    assert strategy.scope is Scope.COHORT
    accuracy, latency, restarts = strategy.gates
    assert (accuracy.limit, accuracy.on_inconclusive) == (0.02, OnInconclusive.ROLLBACK)
    assert accuracy.answers
    assert (latency.metric, latency.limit, latency.live) == (Metric.LATENCY_P95, 1.5, True)
    assert restarts.counts
    assert not restarts.live


def test_a_longest_soak_is_never_shorter_than_the_soak() -> None:
    wave = {"name": "all", "size": "100%", "soak": "30s", "maxSoak": "10s", "approval": "auto"}
    assert strategy_from_json(a_spec(waves=[wave])).waves[0].max_soak_s == 30.0


def test_wave_sizes_round_up_and_limits_round_down() -> None:
    tenth, quarter = Amount(share_ppm=Ppm(100_000)), Amount(share_ppm=Ppm(250_000))
    assert [tenth.up(3, 9), Amount(share_ppm=Ppm(500_000)).up(3, 9)] == [1, 2]
    assert Amount(count=4).up(3, 9) == 2
    assert Amount(count=40).up(3, 9) == 3
    assert [tenth.down(9), quarter.down(9), Amount(count=4).down(3)] == [0, 2, 3]


def test_ninety_percent_of_ten_is_nine_exactly() -> None:
    assert ppm_from_text("90%") * 10 == 9 * 1_000_000
    assert Amount(share_ppm=ppm_from_text("33.3%")).down(1000) == 333


def test_amounts_are_percents_or_counts() -> None:
    assert amount_from_json("10%") == Amount(share_ppm=Ppm(100_000))
    assert amount_from_json(3) == amount_from_json(" 3 ") == Amount(count=3)
    with pytest.raises(ValueError, match="percent"):
        amount_from_json("3s")


def test_windows_rates_label_budgets_and_selectors_of_waves_are_read() -> None:
    strategy = strategy_from_json(
        a_spec(
            window={"cron": "0 2 * * SAT", "duration": "4h", "timeZone": "Europe/Berlin"},
            ratePerMinute=20,
            rateRamp={"start": 2, "factor": 3.0, "perConfirmed": 10},
            maxUnavailablePer={"site": 1, "rack": "10%"},
            maxDevices=100,
            verdictsPer=["site"],
            waves=[
                {
                    "name": "lab",
                    "size": "100%",
                    "soak": "1s",
                    "maxSoak": "1s",
                    "approval": "auto",
                    "selector": {
                        "matchLabels": {"zone": "a"},
                        "matchExpressions": [{"key": "old", "operator": "DoesNotExist"}],
                    },
                }
            ],
        )
    )
    assert strategy.window == Window(
        cron="0 2 * * SAT", duration_s=14_400.0, time_zone="Europe/Berlin"
    )
    assert strategy.rate == Rate(per_minute=20, ramp=Ramp(start=2, factor=3.0, per_confirmed=10))
    assert strategy.max_unavailable_per == (
        LabelBudget(label="rack", amount=Amount(share_ppm=Ppm(100_000))),
        LabelBudget(label="site", amount=Amount(count=1)),
    )
    assert (strategy.max_devices, strategy.verdicts_per) == (100, ("site",))
    selector = strategy.waves[0].selector
    assert selector is not None
    assert selector.matches({"zone": "a"})
    assert not selector.matches({"zone": "b"})
    assert not selector.matches({"zone": "a", "old": ""})


def test_a_ramp_grows_with_what_has_confirmed_up_to_the_rate() -> None:
    rate = Rate(per_minute=20, ramp=Ramp(start=2, factor=3.0, per_confirmed=10))
    assert [rate.after(one) for one in (0, 9, 10, 20, 30, 10**9)] == [2, 2, 6, 18, 20, 20]
    assert Rate(per_minute=7).after(0) == 7


@pytest.mark.parametrize(
    "changes",
    [
        {"quorum": "lots"},
        {"window": {"cron": "0 0 31 4 *", "duration": "1h"}},
        {"window": {"cron": "0 0 * * *", "duration": "1h", "timeZone": "Mars/Olympus"}},
        {"waves": []},
        {"onDeadline": "shrug"},
        {"gates": [{"metric": "accuracy"}]},
        {"gates": [{"metric": "accuracy", "maxDrop": 0.1, "max": 3}]},
        {"gates": [{"metric": "acuracy", "maxDrop": 0.1}]},
    ],
)
def test_a_strategy_that_makes_no_sense_is_an_error(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidError) as error:
        strategy_from_json(a_spec(**changes))
    assert error.value.problem.field == "spec.strategy"


def test_a_share_that_rounds_to_nothing_still_has_a_canary() -> None:
    assert amount_from_json("0.00001%").up(3, 9) == 1
    assert amount_from_json("0%").up(3, 9) == 0
