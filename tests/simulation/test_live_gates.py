"""Live gates from a device's windows to the verdict: production store, evidence and planner."""

from shoal.lab.simulation.actions import CrashController, Publish, Wait
from shoal.lab.simulation.models import Nature
from shoal.lab.simulation.simulation import Simulation
from tests.simulation.live_traffic import a_simulation, is_of, serve, verdicts

LATENCY = {"metric": "latency.p95", "maxRatio": 1.5, "minSamples": 60}
ERRORS = {"metric": "errorRate", "max": 0.01, "minSamples": 60}
RESTARTS = {"metric": "restarts", "max": 0}
DEFAULTS = (ERRORS, LATENCY, RESTARTS)


def settled(simulation: Simulation) -> None:
    """The first revision is on all devices, which then serve for some minutes."""
    simulation.apply(Wait(240.0))
    assert simulation.record().going.completed_at is not None


def results(simulation: Simulation) -> list[str]:
    return [one.result.value for one in simulation.record().revisions]


def test_an_equal_variant_completes_by_its_traffic() -> None:
    simulation = a_simulation(DEFAULTS, 24)
    serve(simulation)
    settled(simulation)
    simulation.apply(Publish(Nature.GOOD), Wait(500.0))
    assert results(simulation) == ["complete", "complete"]
    judged = verdicts(simulation, 2)
    assert {str(one.metric) for one in judged} == {"latency.p95", "errorRate"}
    assert all(one.verdict == "pass" and not one.advisory for one in judged)


def test_a_variant_half_as_fast_is_taken_back_by_its_latency() -> None:
    simulation = a_simulation(DEFAULTS, 24)
    serve(simulation, lambda _, variant: 2.0 if is_of(2, variant) else 1.0)
    settled(simulation)
    simulation.apply(Publish(Nature.GOOD), Wait(500.0))
    assert results(simulation) == ["complete", "rolled-back", "complete"]
    failed = simulation.record().revisions[1]
    assert failed.reason == "GateFailed"
    assert "latency.p95 is between" in failed.message
    assert not any(is_of(2, one["variant"]) for one in simulation.assignments().values())


def test_one_device_in_twenty_that_lies_aborts_no_good_variant() -> None:
    simulation = a_simulation(DEFAULTS)
    liars: set[str] = set()
    serve(
        simulation,
        lambda device, variant: 10.0 if device in liars and is_of(2, variant) else 1.0,
    )
    settled(simulation)
    simulation.apply(Publish(Nature.GOOD), Wait(15.0))
    told = {name for name, one in simulation.assignments().items() if is_of(2, one["variant"])}
    liars.update((min(told), min(simulation.devices.keys() - told)))
    simulation.apply(Wait(500.0))
    assert results(simulation) == ["complete", "complete"]
    trimmed = {name for one in verdicts(simulation, 2) for name in one.scope.trimmed}
    assert trimmed & liars


def test_without_traffic_it_holds() -> None:
    simulation = a_simulation(DEFAULTS, 24)
    settled(simulation)
    simulation.apply(Publish(Nature.GOOD), Wait(500.0))
    current = simulation.record().going
    assert (current.number, current.result.value, current.reason) == (2, "held", "GateInconclusive")
    assert "NO DATA from 12 of 12 devices" in current.message


def test_evidence_outlives_the_controller() -> None:
    simulation = a_simulation(DEFAULTS, 24)
    serve(simulation)
    settled(simulation)
    simulation.apply(Publish(Nature.GOOD), Wait(60.0), CrashController(5.0), Wait(500.0))
    assert results(simulation) == ["complete", "complete"]
