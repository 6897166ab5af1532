"""The named scenarios of `shoal lab` and of the tests, and a run of one of them.

A run is a seed and a scenario; it repeats exactly. It ends with a fleet at rest on a revision that
was complete: where nothing was, a good one is published after the faults have stopped.
"""

import contextlib
import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from shoal.lab.simulation.actions import Action, Publish
from shoal.lab.simulation.device import Manner
from shoal.lab.simulation.fleet import ACCURACY, Fleet, Wave
from shoal.lab.simulation.laws import BrokenLawError
from shoal.lab.simulation.models import Nature
from shoal.lab.simulation.network import Weather
from shoal.lab.simulation.simulation import Setting, Simulation
from shoal.lab.simulation.stories import Plot

DEVICES = 20

# Devices speak every fourteen seconds; a controller that expects them more often calls those lost
# that were silent for 27 seconds.
_EXPECTED_S = 2.0
# Seconds between a change and the pass, and between a change and the report of it: a controller and
# devices that are quick, and two that have much to do and take several changes at once.
_PACES_S = ((1.0, 0.2), (3.0, 1.0), (5.0, 1.0))
_FLEETS = (
    Fleet(small=10, large=10, heartbeat_s=_EXPECTED_S),
    Fleet(small=16, large=4, heartbeat_s=_EXPECTED_S, scope="cohort"),
    Fleet(
        small=11,
        large=9,
        heartbeat_s=_EXPECTED_S,
        waves=(
            Wave(name="canary", size="10%"),
            Wave(name="all", size="100%", approval="manual"),
        ),
        on_deadline="rollback",
    ),
)
_TWO_WAVES = (Wave(name="canary", size="10%"), Wave(name="all", size="100%"))
_RAMP = {"start": 4, "factor": 2, "perConfirmed": 4}
_PACED = tuple(
    Fleet(small=12, large=8, heartbeat_s=_EXPECTED_S, waves=_TWO_WAVES, pace=pace)
    for pace in (
        {"ratePerMinute": 16, "rateRamp": _RAMP},
        {"window": {"cron": "* * * * *", "duration": "20s"}},
        {"maxUnavailablePer": {"rack": 1}},
    )
)
# Failures alone end nothing here: what else is asked of a wave decides. Devices may take longer
# than the rollout has patience.
_LENIENT = tuple(
    Fleet(
        small=12,
        large=8,
        heartbeat_s=_EXPECTED_S,
        waves=_TWO_WAVES,
        max_failures="60%",
        on_deadline=on_deadline,
        device_timeout_s=600,
        progress_deadline_s=40,
    )
    for on_deadline in ("hold", "rollback")
)
_GATES = (
    {"metric": "errorRate", "max": 0.01, "minSamples": 60},
    {"metric": "latency.p95", "maxRatio": 1.5, "minSamples": 60},
)
# One cohort of which half is enough a side for statistics.
_SERVING = tuple(
    Fleet(
        small=24,
        large=0,
        heartbeat_s=_EXPECTED_S,
        soak_s=20,
        max_soak_s=400,
        waves=(Wave(name="half", size="50%"), Wave(name="all", size="100%")),
        gates=gates,
        progress_deadline_s=3600,
    )
    for gates in (_GATES, (ACCURACY, *_GATES))
)
_FAULTS = {"crash": 4, "cut": 4, "engine": 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What a run is about; the seed chooses one of its fleets and what happens."""

    name: str
    about: str
    plot: Plot
    weather: Weather = field(default_factory=Weather)
    fleets: tuple[Fleet, ...] = _FLEETS
    replicas: int = 1
    requests: bool = False
    rarely: int = 1  # only one of so many seeds is run in a build

    def setting(self, seed: int, devices: int = DEVICES) -> Setting:
        """Where the run of this seed takes place."""
        fleet = self.fleets[seed % len(self.fleets)]
        if devices != fleet.devices:
            small = max(1, devices * fleet.small // fleet.devices)
            least = min(1, fleet.large)
            fleet = replace(fleet, small=small, large=max(least, devices - small))
        pace_s, report_s = _PACES_S[seed // len(self.fleets) % len(_PACES_S)]
        return Setting(
            fleet=fleet,
            weather=self.weather,
            manner=Manner(heartbeat_s=14.0, report_s=report_s, effect_s=0.6),
            replicas=self.replicas,
            requests=self.requests,
            pace_s=pace_s,
        )

    def story(self, seed: int, fleet: Fleet) -> tuple[Action, ...]:
        """What happens in the run of this seed."""
        rng = random.Random(f"{self.name} {seed}")  # noqa: S311 - a repeatable run, not a secret
        return self.plot.story(rng, fleet)


SCENARIOS = {
    one.name: one
    for one in (
        Scenario(
            name="faults",
            about="devices lose power, links and engines in mid-rollout",
            plot=Plot(
                waits_s=(0.2, 1.0, 3.0, 6.0, 30.0),
                chances=_FAULTS | {"publish": 2, "controller": 1},
            ),
        ),
        Scenario(
            name="storm",
            about="messages are lost, late, repeated and overtake one another",
            weather=Weather(loss=0.2, repeats=0.2, late=0.1, late_factor=100.0),
            plot=Plot(chances={"cut": 3, "publish": 2, "spec": 1}),
        ),
        Scenario(
            name="failover",
            about="two controllers: leaders die or freeze in mid-pass, the other takes over",
            replicas=2,
            plot=Plot(chances={"controller": 3, "freeze": 4, "publish": 2, "cut": 1, "verb": 1}),
        ),
        Scenario(
            name="clocks",
            about="clocks of devices and of the controller jump back and forth",
            plot=Plot(chances={"clock": 4, "controller-clock": 2, "crash": 2, "publish": 2}),
        ),
        Scenario(
            name="comings",
            about="devices enrol, change their size and leave in mid-rollout",
            plot=Plot(chances={"enrol": 3, "relabel": 4, "publish": 2, "cut": 1, "crash": 1}),
        ),
        Scenario(
            name="operators",
            about="operators abort, undo, pause, promote and retry at random",
            plot=Plot(chances={"verb": 6, "publish": 3, "spec": 1, "cut": 1}),
        ),
        Scenario(
            name="pacing",
            about="windows, rates, budgets of racks; operators suspend and drain devices",
            fleets=_PACED,
            plot=Plot(chances={"suspend": 4, "publish": 3, "cut": 1, "crash": 1, "verb": 2}),
        ),
        Scenario(
            name="doubts",
            about="most devices vanish, some stall, and some refuse what the others take",
            fleets=_LENIENT,
            plot=Plot(
                waits_s=(0.2, 2.0, 8.0, 30.0),
                chances={"publish": 4, "blackout": 2, "stall": 3, "crash": 1, "verb": 1},
            ),
        ),
        Scenario(
            name="owners",
            about="the deployment is deleted and applied anew, or an older one has the devices",
            plot=Plot(
                chances={"delete": 3, "rival": 3, "publish": 2, "cut": 2, "crash": 1, "verb": 1}
            ),
        ),
        Scenario(
            name="traffic",
            about="devices serve requests, and gates on latency and errors judge them",
            fleets=_SERVING,
            requests=True,
            rarely=20,
            plot=Plot(
                quiet_s=120.0,
                least=2,
                most=4,
                waits_s=(30.0, 120.0, 300.0),
                chances={"publish-slow": 6, "crash": 2, "cut": 2, "engine": 1, "controller": 1},
            ),
        ),
        Scenario(
            name="everything",
            about="all of it at once",
            replicas=2,
            weather=Weather(late=0.02),
            plot=Plot(
                most=14,
                chances=_FAULTS
                | {
                    "clock": 1,
                    "controller": 2,
                    "freeze": 2,
                    "controller-clock": 1,
                    "enrol": 1,
                    "relabel": 2,
                    "publish": 3,
                    "spec": 1,
                    "verb": 4,
                },
            ),
        ),
    )
}


def begin(scenario: Scenario, seed: int, devices: int = DEVICES) -> Simulation:
    """A fleet that has just begun its first rollout."""
    return Simulation(seed, scenario.setting(seed, devices))


@contextlib.contextmanager
def replayed(scenario: Scenario, seed: int, devices: int = DEVICES) -> Iterator[None]:
    """Whatever goes wrong inside ends with the command that replays it.

    Raises:
        BrokenLawError: a law does not hold, or the fleet broke down in another way.
    """
    try:
        yield
    except Exception as error:
        count = "" if devices == DEVICES else f" --devices {devices}"
        command = f"shoal lab --scenario {scenario.name} --seed {seed}{count}"
        what = "" if isinstance(error, BrokenLawError) else f"{type(error).__name__}: "
        raise BrokenLawError(f"{what}{error}\nreplay: {command}") from error


def run(scenario: Scenario, seed: int, devices: int = DEVICES) -> Simulation:
    """A whole run; the fleet is at rest at the end.

    Raises:
        BrokenLawError: a law does not hold; the message ends with the command that replays it.
    """
    with replayed(scenario, seed, devices):
        simulation = begin(scenario, seed, devices)
        simulation.apply(*scenario.story(seed, simulation.setting.fleet))
        finish(simulation)
    return simulation


def finish(simulation: Simulation) -> None:
    """Come to rest, with a whole rollout: where none was complete, one of a good model."""
    simulation.calm()
    if not any(one.completed_at is not None for one in simulation.record().revisions):
        simulation.apply(Publish(Nature.GOOD))
        simulation.calm()
    if not any(one.completed_at is not None for one in simulation.record().revisions):
        raise BrokenLawError("law 5: a good model does not reach the fleet without faults")
