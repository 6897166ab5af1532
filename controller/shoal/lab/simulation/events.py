"""How what may happen to a fleet happens to it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from shoal.controller.domain.rollout import Verb
from shoal.controller.planning import verbs
from shoal.lab.simulation.actions import (
    Action,
    Ask,
    Blackout,
    CrashController,
    CrashDevice,
    CutDevice,
    Delete,
    EditSpec,
    Enrol,
    FreezeController,
    KillEngine,
    Publish,
    Relabel,
    Rival,
    SetControllerClock,
    SetDeviceClock,
    StallDevice,
    Suspend,
    Wait,
)
from shoal.lab.simulation.fleet import RIVAL, rival

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
            place = replace(world.places[name], size=action.size, selected=action.selected)
            world.put(name, place)
        case Suspend():
            name = _pick(world, action.index).name
            suspended, drained = action.suspended, action.suspended and action.drained
            world.put(name, replace(world.places[name], suspended=suspended, drained=drained))
        case Delete():
            world.delete()
            world.timeline.later(action.seconds, world.apply_anew)
        case Rival():
            _rival(world, action.seconds)
        case _:
            world.faults += 1
            _fault(world, action)


def _fault(
    world: Simulation,
    action: CrashDevice
    | KillEngine
    | CutDevice
    | Blackout
    | StallDevice
    | SetDeviceClock
    | CrashController
    | FreezeController
    | SetControllerClock,
) -> None:
    match action:
        case CrashController():
            world.controllers.crash(action.seconds)
        case FreezeController():
            world.controllers.freeze(action.seconds)
        case SetControllerClock():
            world.controllers.leader.clock.jump(action.seconds)
        case Blackout():
            for name in tuple(world.devices)[: -(-len(world.devices) * 4 // 5)]:
                _cut(world, name, action.seconds)
        case _:
            _device_fault(world, _pick(world, action.index), action)


def _device_fault(
    world: Simulation,
    device: SimulatedDevice,
    action: CrashDevice | KillEngine | CutDevice | StallDevice | SetDeviceClock,
) -> None:
    match action:
        case CrashDevice():
            _crash(world, device, action.seconds)
        case KillEngine():
            device.kill_engine()
        case CutDevice():
            _cut(world, device.name, action.seconds)
        case StallDevice():
            device.stalled_until_s = world.timeline.now() + action.seconds
        case SetDeviceClock():
            device.clock.jump(action.seconds)


def _ask(world: Simulation, action: Ask) -> None:
    controller = world.controllers.open
    request = verbs.Request(verb=action.verb, follow=action.follow, full=action.full)
    if controller is None or not controller.ask(request) or action.verb is not Verb.PROMOTE:
        return
    # Whoever goes past a failure by hand answers for what comes of it.
    world.laws.promoted = world.orders.promoted = True
    if action.full:
        world.laws.in_full.add(world.record().going.number)


def _rival(world: Simulation, seconds: float) -> None:
    def leave() -> None:
        world.controllers.leader.remove("Deployment", RIVAL)
        world.rival = False

    world.write("Deployment", RIVAL, rival())
    world.rival = True
    world.timeline.later(seconds, leave)


def _cut(world: Simulation, name: str, seconds: float) -> None:
    world.network.cut.add(name)
    world.timeline.later(seconds, lambda: world.network.cut.discard(name))


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
