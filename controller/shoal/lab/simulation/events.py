"""How what may happen to a fleet happens to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.controller.domain.rollout import Verb
from shoal.lab.simulation.actions import (
    Action,
    Ask,
    CrashController,
    CrashDevice,
    CutDevice,
    EditSpec,
    Enrol,
    FreezeController,
    KillEngine,
    Publish,
    Relabel,
    SetControllerClock,
    SetDeviceClock,
    Wait,
)

if TYPE_CHECKING:
    from shoal.lab.simulation.device import SimulatedDevice
    from shoal.lab.simulation.simulation import Simulation


def happen(world: Simulation, action: Action) -> None:
    """Let it happen."""
    match action:
        case Wait():
            world.timeline.run(action.seconds)
        case Publish():
            world.publish(action.nature)
        case Ask():
            _ask(world, action)
        case EditSpec():
            world.soak_s = action.soak_s
            world.generation += 1
            world.write_deployment()
        case Enrol():
            name = f"{action.size}-late-{len(world.devices)}"
            world.enrol(name, action.size).boot()
        case Relabel():
            name = _pick(world, action.index).name
            world.relabel(name, action.size, selected=action.selected)
        case _:
            world.faults += 1
            _fault(world, action)


def _fault(
    world: Simulation,
    action: CrashDevice
    | KillEngine
    | CutDevice
    | SetDeviceClock
    | CrashController
    | FreezeController
    | SetControllerClock,
) -> None:
    match action:
        case CrashDevice():
            _crash(world, _pick(world, action.index), action.seconds)
        case KillEngine():
            _pick(world, action.index).kill_engine()
        case CutDevice():
            name = _pick(world, action.index).name
            world.network.cut.add(name)
            world.timeline.later(action.seconds, lambda: world.network.cut.discard(name))
        case SetDeviceClock():
            _pick(world, action.index).clock.jump(action.seconds)
        case CrashController():
            world.controllers.crash(action.seconds)
        case FreezeController():
            world.controllers.freeze(action.seconds)
        case SetControllerClock():
            world.controllers.leader.clock.jump(action.seconds)


def _ask(world: Simulation, action: Ask) -> None:
    controller = world.controllers.open
    if controller is not None and controller.ask(action.verb, follow=action.follow):
        # Whoever goes past a failure by hand answers for what comes of it.
        world.laws.promoted |= action.verb is Verb.PROMOTE


def _pick(world: Simulation, index: int) -> SimulatedDevice:
    names = tuple(world.devices)
    return world.devices[names[index % len(names)]]


def _crash(world: Simulation, device: SimulatedDevice, seconds: float) -> None:
    if not device.up:
        return
    device.crash()

    def boot() -> None:
        if not device.up:
            device.boot()

    world.timeline.later(seconds, boot)
