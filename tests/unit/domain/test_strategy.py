from typing import Any

import pytest

from shoal.contract.problem import InvalidError
from shoal.controller.domain.gating import Metric, OnInconclusive
from shoal.controller.domain.strategy import (
    Amount,
    Approval,
    Ppm,
    Scope,
    amount_from_json,
    ppm_from_text,
    strategy_from_json,
)


def a_spec(**changes: Any) -> dict[str, Any]:
    """The strategy of contracts section 4 with every default, but what is not built yet."""
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
    assert accuracy.decides
    assert accuracy.tests
    assert (latency.metric, latency.limit, latency.decides) == (Metric.LATENCY_P95, 1.5, False)
    assert restarts.decides
    assert not restarts.tests


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


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"ratePerMinute": 3}, "spec.strategy.ratePerMinute"),
        ({"window": {"cron": "0 2 * * *"}}, "spec.strategy.window"),
        (
            {
                "waves": [
                    {
                        "name": "all",
                        "size": "100%",
                        "soak": "1s",
                        "maxSoak": "1s",
                        "approval": "auto",
                        "selector": {"matchLabels": {"zone": "a"}},
                    }
                ]
            },
            "spec.strategy.waves[0].selector",
        ),
    ],
)
def test_what_is_not_built_yet_is_refused_by_name(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidError) as error:
        strategy_from_json(a_spec(**changes))
    assert (error.value.problem.reason, error.value.problem.field) == ("NotBuiltYet", field)


@pytest.mark.parametrize(
    "changes",
    [
        {"quorum": "lots"},
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
