"""`shoal lab`: a seed that a person can watch, and that a program can read."""

import json
import re

import pytest
import typer
from typer.testing import CliRunner, Result

from shoal.controller.planning import targets
from shoal.lab.simulation.command import command
from shoal.lab.simulation.scenarios import SCENARIOS


def lab(*arguments: str) -> Result:
    app = typer.Typer()
    app.command()(command)
    return CliRunner().invoke(app, arguments)


def test_json_is_one_document_with_every_rollout() -> None:
    ran = lab("--scenario", "failover", "--seed", "7", "-o", "json")
    assert ran.exit_code == 0
    told = json.loads(ran.stdout)
    assert told["law"] is None
    assert (told["scenario"], told["seed"], told["devices"]) == ("failover", 7, 20)
    assert "complete" in {one["result"] for one in told["rollouts"]}
    assert told["messages"] > 100


def test_a_person_sees_devices_events_and_what_is_done_to_them() -> None:
    ran = lab("--scenario", "faults", "--seed", "1", "--speed", "100000")
    assert ran.exit_code == 0
    assert "o Confirmed" in ran.stdout
    assert "WaveStarted: revision 1: wave canary started" in ran.stdout
    assert any(line.split(" s  ")[-1].startswith("* ") for line in ran.stdout.splitlines())
    assert re.search(r"s  \[[o ]*o[o ]*\]$", ran.stdout, re.MULTILINE), "devices that confirmed"
    assert ran.stdout.endswith("every law held\n")


def test_fleets_may_be_of_another_size() -> None:
    ran = lab("--devices", "30", "--scenario", "storm", "--seed", "2", "-o", "json")
    assert json.loads(ran.stdout)["devices"] == 30


def test_a_broken_law_ends_with_the_command_that_replays_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(targets, "follows", lambda *_: False)
    ran = lab("--scenario", "faults", "--seed", "3", "-o", "json")
    assert ran.exit_code == 1
    assert "replay: shoal lab --scenario faults --seed 3" in json.loads(ran.stdout)["law"]


def test_an_unknown_scenario_is_answered_with_the_known_ones() -> None:
    ran = lab("--scenario", "nonsense")
    assert ran.exit_code == 2
    assert all(name in ran.output for name in SCENARIOS)
