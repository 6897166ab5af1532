"""What is known of each deployment: its status as last written, and its traffic as counted."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from shoal.controller.domain.evidence import Verdict
from shoal.controller.domain.outcomes import Outcome
from shoal.controller.domain.revisions import Result, WaveState
from shoal.controller.metering import catalogue
from shoal.controller.metering.families import Families
from shoal.controller.metering.traffic import BOUNDS_S, Served, Traffic
from shoal.controller.reconcile.cache import Cache

_RESULTS = ("pending", *Result)
_WORST_FIRST = (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.PASS)

Place = tuple[str, str]


def write(families: Families, cache: Cache, traffic: Traffic) -> None:
    """Every sample that has a deployment among its labels."""
    for record in cache.all("Deployment"):
        place = (record.namespace, record.name)
        status = record.data.get("status") or {}
        _devices(families, place, status)
        _rollout(families, place, status)
        _gates(families, place, status)
        _traffic(families, place, traffic.served(f"{record.namespace}/{record.name}"))


def _devices(families: Families, place: Place, status: Mapping[str, Any]) -> None:
    counts = status.get("devices") or {}
    families.set(catalogue.SELECTED, place, counts.get("selected", 0))
    families.set(catalogue.REACHABLE, place, counts.get("reachable", 0))
    for outcome in Outcome:
        families.set(catalogue.OUTCOMES, (*place, outcome), counts.get(outcome, 0))


def _rollout(families: Families, place: Place, status: Mapping[str, Any]) -> None:
    lifted = [bool(one.get("liftedAt")) for one in status.get("quarantine") or ()]
    waves = Counter(one["result"] for one in status.get("waves") or ())
    families.set(catalogue.REVISION, place, status.get("revision") or 0)
    families.set(catalogue.QUARANTINED, place, lifted.count(False))
    families.one_hot(catalogue.RESULT, place, _RESULTS, status.get("result") or "pending")
    families.set(catalogue.PAUSED, place, bool(status.get("paused")))
    for state in WaveState:
        families.set(catalogue.WAVES, (*place, state), waves[state])


def _gates(families: Families, place: Place, status: Mapping[str, Any]) -> None:
    found: dict[str, set[str]] = {}
    for gate in _counting(status):
        found.setdefault(gate["metric"], set()).add(gate["verdict"])
    for metric, verdicts in sorted(found.items()):
        worst = next(one for one in _WORST_FIRST if one in verdicts)
        families.one_hot(catalogue.GATES, (*place, metric), list(Verdict), worst)


def _counting(status: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Verdicts that may stop the rollout: neither those only shown nor those waived."""
    for wave in status.get("waves") or ():
        for gate in wave.get("gates") or ():
            if not gate.get("advisory") and not gate.get("waived"):
                yield gate


def _traffic(families: Families, place: Place, served: Served) -> None:
    families.set(catalogue.INFERENCES, place, served.requests)
    families.set(catalogue.ERRORS, place, served.errors)
    families.set(catalogue.LABELLED, place, served.labelled)
    families.set(catalogue.CORRECT, place, served.correct)
    families.histogram(
        catalogue.LATENCY, place, BOUNDS_S, served.latencies, served.latency_ms / 1000
    )
