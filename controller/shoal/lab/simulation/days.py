"""Ordinary days of a fleet: heartbeats, a new model revision and a fault for each device a day."""

import functools
import random
from dataclasses import dataclass

from shoal.lab.simulation.actions import Action, CrashDevice, CutDevice, KillEngine, Publish
from shoal.lab.simulation.device import Manner
from shoal.lab.simulation.fleet import Fleet
from shoal.lab.simulation.models import Nature
from shoal.lab.simulation.network import Weather
from shoal.lab.simulation.simulation import Setting, Simulation

DAY_S = 86_400.0
HEARTBEAT_S = 330.0  # at most; about 290 heartbeats a day
EXPECTED_S = 600.0  # lost after an hour
OUTAGE_S = 600.0
PACE_S = 20.0  # changes of this long go into one pass
FAIR = Weather(loss=0.01, repeats=0.05, late=0.01)


@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """How many devices live for how many days."""

    devices: int
    days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """What these days carried in all."""

    messages: int
    assignments: int
    faults: int


def live(wanted: Days, seed: int) -> Carried:
    """Let the days pass; every law is asked after every step.

    Raises:
        BrokenLawError: a law does not hold.
    """
    simulation = Simulation(seed, _setting(wanted.devices))
    rng = random.Random(seed)  # noqa: S311 - a repeatable run, not a secret
    for day in range(wanted.days):
        for seconds, action in _day(rng, wanted.devices):
            happening = functools.partial(simulation.apply_now, action)
            simulation.timeline.later(seconds, happening)
        if day:
            simulation.apply(Publish(Nature.GOOD))
        simulation.timeline.run(DAY_S)
    carried = Carried(
        messages=simulation.network.delivered,
        assignments=simulation.laws.tellings,
        faults=simulation.faults,
    )
    simulation.calm()
    return carried


def _setting(devices: int) -> Setting:
    small = devices // 2
    fleet = Fleet(
        small=small,
        large=devices - small,
        heartbeat_s=EXPECTED_S,
        soak_s=60,
        max_soak_s=300,
        device_timeout_s=7200,
        progress_deadline_s=14_400,
    )
    manner = Manner(heartbeat_s=HEARTBEAT_S, report_s=2.0, effect_s=20.0)
    return Setting(fleet=fleet, weather=FAIR, manner=manner, pace_s=PACE_S)


def _day(rng: random.Random, devices: int) -> list[tuple[float, Action]]:
    """One fault for each device, at any time of the day."""
    faults = []
    for index in range(devices):
        fault: Action = rng.choice(
            (CrashDevice(index, OUTAGE_S), CutDevice(index, OUTAGE_S), KillEngine(index))
        )
        faults.append((rng.uniform(0.0, DAY_S), fault))
    return faults
