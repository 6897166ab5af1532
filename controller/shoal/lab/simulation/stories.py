"""What happens in a run, drawn from its seed: faults, operators and revisions between two waits."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from shoal.controller.domain.rollout import Verb
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
from shoal.lab.simulation.fleet import SIZES, Fleet
from shoal.lab.simulation.models import Nature

Maker = Callable[[random.Random, Fleet], Action]
OUTAGES_S = (0.5, 5.0, 45.0)
SERVING = (Nature.SLOW, Nature.ERRING)
ANSWERING = tuple(one for one in Nature if one not in SERVING)
JUMPS_S = (-3600.0, -30.0, 30.0, 3600.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """How many things happen, how long the waits between them are, and how likely each thing is.

    Nothing happens for `quiet_s` at first.
    """

    quiet_s: float = 0.0
    least: int = 4
    most: int = 8
    waits_s: tuple[float, ...] = (0.2, 1.0, 2.0, 5.0)
    chances: Mapping[str, int]

    def story(self, rng: random.Random, fleet: Fleet) -> tuple[Action, ...]:
        """One course of things."""
        names, weights = list(self.chances), list(self.chances.values())
        told: list[Action] = [Wait(self.quiet_s)]
        for name in rng.choices(names, weights, k=rng.randint(self.least, self.most)):
            told.append(Wait(rng.choice(self.waits_s)))
            told.append(MAKERS[name](rng, fleet))
        return tuple(told)


def _device(rng: random.Random, fleet: Fleet) -> int:
    return rng.randrange(fleet.devices)


def _outage(rng: random.Random) -> float:
    return rng.choice(OUTAGES_S)


MAKERS: dict[str, Maker] = {
    "crash": lambda rng, fleet: CrashDevice(_device(rng, fleet), _outage(rng)),
    "cut": lambda rng, fleet: CutDevice(_device(rng, fleet), _outage(rng)),
    "engine": lambda rng, fleet: KillEngine(_device(rng, fleet)),
    "clock": lambda rng, fleet: SetDeviceClock(_device(rng, fleet), rng.choice(JUMPS_S)),
    "controller": lambda rng, _: CrashController(_outage(rng)),
    "freeze": lambda rng, _: FreezeController(_outage(rng)),
    "controller-clock": lambda rng, _: SetControllerClock(rng.choice(JUMPS_S)),
    "enrol": lambda rng, _: Enrol(rng.choice(SIZES)),
    "relabel": lambda rng, fleet: Relabel(
        _device(rng, fleet), rng.choice(SIZES), rng.random() < 0.7
    ),
    "publish": lambda rng, _: Publish(rng.choice(ANSWERING)),
    "publish-slow": lambda rng, _: Publish(rng.choice((Nature.GOOD, *SERVING))),
    "spec": lambda rng, _: EditSpec(rng.choice((1, 3, 5))),
    "verb": lambda rng, _: Ask(
        rng.choice(tuple(Verb)), follow=rng.random() < 0.5, full=rng.random() < 0.5
    ),
    "suspend": lambda rng, fleet: Suspend(
        _device(rng, fleet), suspended=rng.random() < 0.7, drained=rng.random() < 0.3
    ),
    "blackout": lambda rng, _: Blackout(rng.choice((20.0, 90.0))),
    "stall": lambda rng, fleet: StallDevice(_device(rng, fleet), rng.choice((20.0, 400.0))),
    "delete": lambda rng, _: Delete(rng.choice((3.0, 30.0))),
    "rival": lambda rng, _: Rival(rng.choice((3.0, 30.0))),
}
