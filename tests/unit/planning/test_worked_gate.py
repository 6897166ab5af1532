"""The worked example of docs/gates.md is what gates say, and what `shoal rollout status` draws."""

import math
import re
from pathlib import Path
from statistics import NormalDist

from shoal.cli import tree
from shoal.controller.domain.evidence import Verdict
from shoal.controller.domain.live import DeviceEvidence, LiveEvidence
from shoal.controller.reconcile import deployment_status
from shoal.controller.store.port import Record
from tests.unit.planning.live_fleets import LATENCY, NEW, OLD, a_fleet, a_sample, gate_of
from tests.unit.planning.worlds import Make, World

EXAMPLE = (Path(__file__).parents[3] / "docs" / "gates.md").read_text().split("## Worked example")
SHOWN = re.findall(r"```\n(.*?)```", EXAMPLE[1], re.DOTALL)[0].splitlines()
DIGITS = Record(
    kind="Deployment",
    namespace="default",
    name="digits",
    uid="u",
    resource_version=1,
    data={"metadata": {"name": "digits"}, "spec": {"model": "digits"}},
)
SPREAD = 0.092  # of how the p95 of single devices changed, as the deviation of its logarithm


def judged(make: Make, *, count: int = 40, rise: float = 1.10) -> World:
    """Half of the devices are updated; the p95 of everybody fell by 3 %, and of these it rose."""
    world = a_fleet(make, LATENCY, count=count)
    updated = sorted(world.on_revision(2))
    others = sorted({one.name for one in world.fleet} - set(updated))
    world.live = LiveEvidence(
        devices=tuple(
            DeviceEvidence(
                device=name,
                before=a_sample(OLD, latency_ms=(1.0, 2.0, 3.0)),
                after=(a_sample(digest, requests=124, answered=124, latency_ms=(1.0, p95, 3.0)),),
            )
            for digest, side, change in ((NEW, updated, rise), (OLD, others, 1.0))
            for name, p95 in zip(side, p95s(len(side), 2.0 * 0.965 * change), strict=True)
        )
    )
    world.turn(1.0)
    return world


def p95s(count: int, middle: float) -> list[float]:
    """As many devices as evenly spread as a normal distribution lets them be."""
    places = [NormalDist().inv_cdf((place + 0.5) / count) for place in range(count)]
    return [middle * math.exp(SPREAD * place) for place in places]


def test_the_example_is_what_rollout_status_draws(make: Make) -> None:
    world = judged(make)
    status = deployment_status.build(DIGITS, world.plan, 0.0)
    drawn = list(tree.lines({**DIGITS.data, "status": status}, [], 80))
    start = next(place for place, line in enumerate(drawn) if "gate latency.p95" in line)
    shown = [line.removeprefix("│  ") for line in drawn[start : start + len(SHOWN)]]
    assert shown == SHOWN


def test_the_example_passes_with_1_8_times_the_devices(make: Make) -> None:
    assert gate_of(judged(make, count=72)).verdict is Verdict.PASS


def test_the_example_fails_once_the_lower_end_is_beyond_the_limit(make: Make) -> None:
    world = judged(make, rise=1.40)
    gate = gate_of(world)
    assert gate.interval is not None
    assert (gate.verdict, gate.interval[0] > 1.2) == (Verdict.FAIL, True)
    assert world.record.given_up is not None
