"""What it means that a fleet has come to rest, and how it is brought there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shoal.contract.reason import Reason
from shoal.contract.report import Phase
from shoal.controller.domain.revisions import Result
from shoal.controller.domain.rollout import RolloutRecord, Verb
from shoal.lab.simulation.actions import Ask
from shoal.lab.simulation.fleet import DEPLOYMENT
from shoal.lab.simulation.laws import BrokenLawError
from shoal.lab.simulation.network import CALM

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shoal.lab.simulation.device import SimulatedDevice
    from shoal.lab.simulation.simulation import Simulation

# With every device there and every answer in, only what devices did may still hold a rollout.
SETTLED = {
    Reason.THRESHOLD_UNMET,
    Reason.TOO_MANY_FAILURES,
    Reason.HARD_STOP,
}
REST_S = 900.0  # how long a fleet without faults may take to come to rest
LOOK_S = 5.0  # no shorter than the time in which a pass sees a change


def calm(world: Simulation) -> None:
    """Stop every fault and wait; observed must become desired, and stay so.

    Raises:
        BrokenLawError: the fleet does not come to rest.
    """
    world.network.weather = CALM
    world.network.cut.clear()
    world.controllers.calm()
    for device in world.devices.values():
        device.clock.ahead_s = 0.0
        device.stalled_until_s = 0.0
        if not device.up:
            device.boot()
    world.at_work()
    if world.record().paused_at is not None:
        world.apply(Ask(Verb.RESUME))
    rest_s = max(REST_S, 20 * world.manner.heartbeat_s)
    for _ in range(int(rest_s / LOOK_S)):
        world.timeline.run(LOOK_S)
        waiting = world.record().waiting
        if waiting is not None and waiting.reason == Reason.APPROVAL_MISSING:
            world.apply(Ask(Verb.PROMOTE))
        if not restless(world):
            return
    raise BrokenLawError(f"law 5: {restless(world)}")


def restless(world: Simulation) -> list[str]:
    """What has not come to an end: the rollout, and devices that are not as they are told."""
    problems = list(_unfinished(world, world.record()))
    if problems:
        return problems
    told = world.assignments()
    return [
        f"{name}: {problem}"
        for name, device in world.devices.items()
        if (problem := _problem(world, device, told.get(name)))
    ]


def _unfinished(world: Simulation, record: RolloutRecord) -> Iterator[str]:
    current = record.current
    if current is None or current.result is Result.ACTIVE or record.intent is not None:
        yield f"the rollout goes on: {current and current.reason} {record.waiting}"
    elif current.result is Result.HELD and not _settled(world, record):
        yield f"the rollout is held: {current.reason}: {current.message}"
    if record.taken.generation != world.generation:
        yield f"generation {world.generation} of the spec was not taken up"
    if not record.suspended and record.taken.model_revision != world.revisions:
        yield f"model revision {world.revisions} was not taken up"


def _settled(world: Simulation, record: RolloutRecord) -> bool:
    """Whether the revision is held for what its own variants do."""
    current = record.going
    if current.reason == Reason.GATE_INCONCLUSIVE:
        contents = (one.content.cohorts for one in record.revisions)
        variants = {digest for cohorts in contents for one in cohorts for digest in one.variants}
        # Devices that served badly before are a poor measure for what comes next.
        return any(
            world.variants.undecided(one) or world.variants.serves_badly(one) for one in variants
        )
    gated = current.reason == Reason.GATE_FAILED and world.setting.fleet.on_failure == "hold"
    return gated or current.reason in SETTLED


def _problem(world: Simulation, device: SimulatedDevice, told: dict[str, Any] | None) -> str:
    life = device.context.life(DEPLOYMENT)
    if told is None:
        return "" if life is None else f"still has generation {life.newest_generation}"
    if life is None or life.assignment.generation != told["generation"]:
        return f"has not taken up generation {told['generation']}"
    phase = life.state.phase
    if phase is None or device.under_way:
        return f"is {life.state}"
    serving = device.engine.serving.get(DEPLOYMENT)
    if phase is Phase.CONFIRMED and serving != told["variant"]:
        return f"confirmed {told['variant']} and serves {serving}"
    observation = world.controllers.leader.read("Observation", device.name) or {}
    known = [
        one["phase"]
        for one in observation.get("report", {}).get("deployments", [])
        if one["generation"] == told["generation"]
    ]
    return "" if known == [phase.value] else f"is {phase}, but known as {known}"
