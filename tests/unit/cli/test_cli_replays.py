"""`rollout history --replay`, as people and scripts see it."""

from typing import Any

from tests.unit.cli.conftest import Shoal
from tests.unit.client.api_server import ApiServer


def a_decision(number: int, replay: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "number": number,
        "time": "2026-01-02T03:04:05.678Z",
        "revision": 1,
        "result": "active",
        "reason": "",
        "toldDevices": 3,
        "version": "0.1.0",
        "replayable": replay is not None,
        "replay": replay,
    }


def a_replay(*, same: bool, same_code: bool = True) -> dict[str, Any]:
    difference = "" if same else "plan.tells: 3 entries, and now 4"
    return {"same": same, "difference": difference, "sameCode": same_code}


def test_a_replay_that_decides_the_same_exits_with_0(api: ApiServer, shoal: Shoal) -> None:
    assert "no decision" in shoal("rollout", "history", "digits", "--replay").err
    api.decisions = [a_decision(1, None), a_decision(2, a_replay(same=True))]
    ran = shoal("rollout", "history", "digits", "--replay")
    assert ran.code == 0
    assert [line.split()[-1] for line in ran.out.splitlines()] == ["REPLAY", "gone", "same"]


def test_a_replay_that_decides_otherwise_exits_with_1(api: ApiServer, shoal: Shoal) -> None:
    api.decisions = [a_decision(2, a_replay(same=False))]
    ran = shoal("rollout", "history", "digits", "--replay")
    assert (ran.code, ran.out.split()[-1]) == (1, "differs")
    assert ran.err == "decision 2: plan.tells: 3 entries, and now 4\n"
    as_json = shoal("rollout", "history", "digits", "--replay", "-o", "json")
    assert (as_json.code, as_json.json["items"]) == (1, api.decisions)


def test_decisions_of_another_version_are_counted_and_exit_with_0(
    api: ApiServer, shoal: Shoal
) -> None:
    api.decisions = [
        a_decision(1, a_replay(same=False, same_code=False)),
        a_decision(2, a_replay(same=True, same_code=False)),
        a_decision(3, a_replay(same=True)),
    ]
    ran = shoal("rollout", "history", "digits", "--replay")
    assert (ran.code, ran.err) == (0, "taken by another version: 1 of 2 differ\n")
    verdicts = [line.rpartition("  ")[2] for line in ran.out.splitlines()]
    assert verdicts == ["REPLAY", "differs, other version", "same, other version", "same"]
