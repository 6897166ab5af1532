"""rollout status -w: a rollout as a tree, on a terminal and in a pipe."""

import copy
import datetime as dt
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from shoal.cli import tree
from shoal.client import ticking
from tests.unit.cli import fleet
from tests.unit.cli.conftest import Shoal
from tests.unit.client.api_server import ApiServer


def ago(seconds: float) -> str:
    return (dt.datetime.now(dt.UTC) - dt.timedelta(seconds=seconds)).isoformat()


def a_seat(device: str, outcome: str, seconds: float | None = None, **more: str) -> dict[str, Any]:
    return {
        "device": device,
        "cohort": "small",
        "outcome": outcome,
        "reason": "",
        "message": "",
        "since": None if seconds is None else ago(seconds),
        **more,
    }


def a_rollout() -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A deployment in its second wave, and the rolls of its waves."""
    waves: list[dict[str, Any]] = [
        {"name": "canary", "devices": 1, "result": "complete", "startTime": ago(7300)},
        {"name": "half", "result": "active", "startTime": ago(5000), "soakedUntil": ago(-1815)},
        {"name": "all", "devices": 9, "result": "pending", "startTime": None},
    ]
    gate = {"metric": "accuracy", "verdict": "inconclusive", "message": "need 2x the data"}
    advice = {"metric": "latency.p95", "verdict": "inconclusive", "advisory": True}
    waves[1]["gates"] = [gate, advice, {**advice, "verdict": "pass"}]
    deployment = fleet.a_deployment("active", waves=waves, wave=1, message="wave half soaks")
    failed = a_seat(
        "cam-7", "Failed", 4000, reason="LoadFailed", message=f"{'why ' * 30}\nlast line"
    )
    rolls: list[dict[str, Any]] = [
        {
            "wave": 0,
            "name": "canary",
            "devices": 1,
            "counts": {"Confirmed": 1},
            "shown": [a_seat("cam-1", "Confirmed", 7200)],
        },
        {
            "wave": 1,
            "name": "half",
            "devices": 12,
            "counts": {"Failed": 1, "Soaking": 11},
            "shown": [failed, a_seat("cam-2", "Soaking", 3900)],
        },
        {
            "wave": 2,
            "name": "all",
            "devices": 2,
            "counts": {"Pending": 1, "Unreachable": 1},
            "shown": [a_seat("cam-5", "Unreachable"), a_seat("cam-6", "Pending")],
        },
        {
            "wave": None,
            "name": None,
            "devices": 1,
            "counts": {"NoFeasibleVariant": 1},
            "shown": [a_seat("cam-9", "NoFeasibleVariant")],
        },
    ]
    return deployment, rolls


TREE = """\
digits  revision 2  model digits@2  active  3/9 confirmed
  wave half soaks
├─ ✓ canary  complete    2h  1 device: 1 Confirmed
│  └─ ✓ cam-1  Confirmed    2h  small
├─ ◐ half    active      1h, 30m left  12 devices: 1 Failed, 11 Soaking
│  ├─ ! gate accuracy inconclusive: need 2x the data
│  ├─ … 2 advisory gates: 1 inconclusive, 1 pass
│  ├─ ✗ cam-7  Failed     1h  small  [LoadFailed]
│  │    why why why why why why why why why why why why why why why why why why
│  │    why why why why why why why why why why why why
│  │    last line
│  ├─ ◐ cam-2  Soaking    1h  small
│  └─ … 10 more: 10 Soaking
├─ ○ all     pending      -  2 devices: 1 Pending, 1 Unreachable
│  └─ ! cam-5  Unreachable     -  small
└─ ! in no wave: 1 device: 1 NoFeasibleVariant
   └─ ! cam-9  NoFeasibleVariant     -  small
"""


def test_a_rollout_is_a_tree_of_waves_gates_and_devices() -> None:
    assert "".join(f"{line}\n" for line in tree.lines(*a_rollout(), 80)) == TREE


@pytest.mark.parametrize("columns", [40, 60, 80, 200])
def test_no_line_is_wider_than_the_room(columns: int) -> None:
    assert max(map(len, tree.lines(*a_rollout(), columns))) <= columns


def test_a_pipe_gets_the_same_text(api: ApiServer, shoal: Shoal) -> None:
    deployment, api.waves = a_rollout()
    api.store(deployment)
    ended = {**deployment, "status": {**deployment["status"], "result": "held"}}
    with api.once_watched(ended):
        ran = shoal("rollout", "status", "digits", "-w")
    assert ran.code == 1
    assert ran.out == TREE + TREE.replace("active  3/9", "held  3/9")


def test_what_changes_nothing_in_the_picture_is_not_drawn_again(
    api: ApiServer, shoal: Shoal
) -> None:
    deployment, api.waves = a_rollout()
    deployment["status"]["result"] = "active"
    api.store(deployment)
    # Another version with the same picture but for the time, and then the end.
    older = copy.deepcopy(deployment)
    older["status"]["waves"][0]["startTime"] = ago(99_999)
    older["status"]["waves"][1]["gates"][1]["samples"] = 7
    ended = {**deployment, "status": {**deployment["status"], "result": "complete"}}
    with api.once_watched(older, ended):
        ran = shoal("rollout", "status", "digits", "-w")
    assert ran.out.count("digits  revision 2") == 2


def test_watched_yaml_is_a_stream_of_documents(api: ApiServer, shoal: Shoal) -> None:
    deployment, api.waves = a_rollout()
    api.store(deployment)
    ended = {**deployment, "status": {**deployment["status"], "result": "complete"}}
    with api.once_watched(ended):
        ran = shoal("rollout", "status", "digits", "-w", "-o", "yaml")
    told = [one["status"]["result"] for one in yaml.safe_load_all(ran.out)]
    assert told == ["active", "complete"]


def test_a_terminal_is_drawn_over_in_place(
    api: ApiServer, shoal: Shoal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shoal.cli.printing.is_live", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "10")
    deployment, api.waves = a_rollout()
    api.store(deployment)
    ended = {**deployment, "status": {**deployment["status"], "result": "complete"}}
    with api.once_watched(ended):
        ran = shoal("rollout", "status", "digits", "-w")
    assert ran.code == 0
    first, _, last = ran.out.partition("\x1b[J")
    assert first.count("\n") == 9  # one less than the terminal has
    assert "\x1b[9F\x1b[J" in last
    assert "\x1b[32m✓\x1b[0m cam-1" in last
    assert "last line" in last


def test_no_colour_where_it_is_not_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shoal.cli.printing.is_live", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "".join(f"{line}\n" for line in tree.lines(*a_rollout(), 80)) == TREE


def test_a_quiet_stream_ticks_and_ends_as_it_ends() -> None:
    go_on = threading.Event()

    def slow() -> Iterator[int]:
        yield 1
        go_on.wait(30)
        yield 2
        raise ValueError("the end")

    stream = ticking.ticking(slow(), 0.01)
    assert next(stream) == 1
    assert next(stream) is ticking.TICK
    go_on.set()
    assert next(one for one in stream if one is not ticking.TICK) == 2
    with pytest.raises(ValueError, match="the end"):
        list(stream)


def test_a_stream_that_ends_is_over() -> None:
    assert [one for one in ticking.ticking(iter([7]), 5.0) if one is not ticking.TICK] == [7]
