"""`shoal lab`: one seed of one scenario, watched by a person or told as JSON."""

import enum
import json
import sys
import time
from typing import Annotated, Any

import typer

from shoal.lab.simulation.laws import BrokenLawError
from shoal.lab.simulation.scenarios import DEVICES, SCENARIOS, Scenario, begin, finish, replayed
from shoal.lab.simulation.simulation import Simulation
from shoal.lab.simulation.watching import Watch


class Output(enum.StrEnum):
    """How the result is printed."""

    TEXT = "text"
    JSON = "json"


def command(
    devices: Annotated[int, typer.Option(min=4, max=2000, help="How many devices.")] = DEVICES,
    scenario: Annotated[
        str, typer.Option(help=f"What happens: {', '.join(SCENARIOS)}.")
    ] = "everything",
    seed: Annotated[int, typer.Option(min=0, help="Which run of it; a seed is one run.")] = 0,
    speed: Annotated[
        float | None,
        typer.Option(
            min=0, help="Simulated seconds in a second, 0: all at once. Default: 4 on a terminal."
        ),
    ] = None,
    output: Annotated[
        Output,
        typer.Option("-o", "--output", metavar="text|json", help="How to print the result."),
    ] = Output.TEXT,
) -> None:
    """Simulate a fleet under faults, with the real planner, store and agent core.

    The laws of a rollout are asked after every step; exit code 1 when one does not hold.

    Example: shoal lab --scenario failover --seed 7
    """
    chosen = SCENARIOS.get(scenario)
    if chosen is None:
        names = ", ".join(SCENARIOS)
        raise typer.BadParameter(f"there is no scenario {scenario!r}; choose one of {names}")
    if speed is None:
        speed = 4.0 if output is Output.TEXT and sys.stdout.isatty() else 0.0
    say = typer.echo if output is Output.TEXT else _nothing
    started_s = time.monotonic()
    simulation = begin(chosen, seed, devices)
    broken = _played(chosen, seed, Watch(simulation, say, speed))
    result = _result(simulation, chosen, seed, broken)
    result["seconds"] = round(time.monotonic() - started_s, 2)
    typer.echo(json.dumps(result) if output is Output.JSON else _text(result))
    if broken is not None:
        raise typer.Exit(1)


def _nothing(_text: str) -> None:
    """Say nothing: stdout carries the result alone."""


def _played(scenario: Scenario, seed: int, watch: Watch) -> str | None:
    """Let the story happen; the law that does not hold."""
    simulation = watch.simulation
    watch.begin()
    try:
        with replayed(scenario, seed, simulation.setting.fleet.devices):
            for action in scenario.story(seed, simulation.setting.fleet):
                watch.happens(action)
                simulation.apply(action)
            finish(simulation)
    except BrokenLawError as error:
        return str(error)
    return None


def _result(
    simulation: Simulation, scenario: Scenario, seed: int, broken: str | None
) -> dict[str, Any]:
    setting, record = simulation.setting, simulation.record()
    return {
        "scenario": scenario.name,
        "seed": seed,
        "devices": len(simulation.devices),
        "law": broken,
        "rollouts": [
            {
                "revision": one.number,
                "model_revision": one.content.model_revision,
                "origin": one.origin.value,
                "result": one.result.value,
                "message": one.message,
            }
            for one in record.revisions
        ],
        "simulated_s": round(simulation.elapsed_s, 1),
        "messages": simulation.network.delivered,
        "faults": simulation.faults,
        "assignments": simulation.laws.tellings,
        "passes": simulation.controllers.passes,
        "takeovers": simulation.controllers.takeovers,
        "controllers": setting.replicas,
    }


def _text(result: dict[str, Any]) -> str:
    """The result for people."""
    size = f"{result['devices']} devices, {result['simulated_s']} s in {result['seconds']} s"
    carried = f"{result['messages']} messages, {result['faults']} faults"
    decided = f"{result['assignments']} assignments, {result['passes']} passes"
    lines = ["", f"{size}: {carried}, {decided}"]
    lines += [
        f"  revision {one['revision']} (model {one['model_revision']}, {one['origin']}):"
        f" {one['result']} {one['message']}".rstrip()
        for one in result["rollouts"]
    ]
    lines.append(result["law"] or "every law held")
    return "\n".join(lines)
