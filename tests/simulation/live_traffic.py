"""A fleet whose gates look at requests, and what they said."""

from collections.abc import Callable, Collection
from typing import Any

from shoal.contract.digest import Digest
from shoal.controller.domain.evidence import GateVerdict, Source
from shoal.lab.simulation.device import Manner
from shoal.lab.simulation.fleet import Fleet, Wave
from shoal.lab.simulation.models import SIZES, digest_of
from shoal.lab.simulation.requests import Requests
from shoal.lab.simulation.simulation import Setting, Simulation

HALVES = (Wave(name="half", size="50%"), Wave(name="all", size="100%"))


def a_simulation(gates: Collection[dict[str, Any]], devices: int = 40, seed: int = 1) -> Simulation:
    """A fleet of one cohort that has just begun its first rollout."""
    fleet = Fleet(
        small=devices,
        large=0,
        soak_s=20,
        max_soak_s=400,
        heartbeat_s=15.0,
        waves=HALVES,
        progress_deadline_s=3600,
        gates=tuple(gates),
    )
    return Simulation(seed, Setting(fleet=fleet, manner=Manner(heartbeat_s=30.0), pace_s=3.0))


def serve(
    simulation: Simulation, slowdown: Callable[[str, Digest], float] = lambda _device, _variant: 1.0
) -> None:
    """Let every device serve requests; `slowdown` is how slow its variant is there."""
    requests = Requests(simulation, slowdown)
    for device in simulation.devices.values():
        requests.begin(device)


def is_of(revision: int, variant: Digest) -> bool:
    """Whether it is a variant of this model revision."""
    return variant in {digest_of(f"model {revision} of {size} bytes") for size in SIZES}


def verdicts(simulation: Simulation, revision: int) -> list[GateVerdict]:
    """What the gates on traffic said in the waves of this revision, and what they say now."""
    record = simulation.record()
    found = record.revision(revision)
    waves = found.waves if found else ()
    shown = [*(one for wave in waves for one in wave.gates)]
    if record.going.number == revision:
        shown += [one for cohort in record.cohorts for one in cohort.verdicts]
    return [one for one in shown if one.source is Source.TRAFFIC]
