"""What a Deployment's status and its revisions look like as JSON."""

from collections.abc import Mapping, Sequence
from typing import Any

from shoal.contract import jsonform
from shoal.contract.choice import Miss
from shoal.controller.domain.evidence import GateVerdict
from shoal.controller.domain.fleet import CohortId
from shoal.controller.domain.outcomes import Count
from shoal.controller.domain.plan import CohortStatus, Plan, RolloutStatus, WaveStatus
from shoal.controller.domain.revisions import CohortContent, Result, Revision, WaveRecord
from shoal.controller.domain.rollout import Quarantined, RolloutRecord
from shoal.controller.reconcile.conditions import condition
from shoal.controller.reconcile.journal import iso
from shoal.controller.store.port import Record

_BLOCKED_SHOWN = 50


def build(deployment: Record, plan: Plan, now_s: float) -> dict[str, Any]:
    """The status of a Deployment."""
    status, given_up = plan.status, plan.record.given_up
    names = {one.cohort: one.name for one in status.cohorts}
    return {
        "observedGeneration": deployment.data["metadata"].get("generation", 1),
        "revision": status.revision,
        "modelRevision": status.model_revision,
        "takenModelRevision": plan.record.taken.model_revision,
        **_verdict(status, given_up),
        "givenUp": None if given_up is None else _given_up(given_up),
        "paused": status.paused,
        "following": status.following,
        "devices": {
            "selected": status.selected,
            "reachable": status.reachable,
            **_counts(status.counts),
        },
        "cohorts": [_cohort(one) for one in status.cohorts],
        "wave": status.wave,
        "waves": [_wave(one, names) for one in status.waves],
        "blocked": [jsonform.to_json(one) for one in status.blocked[:_BLOCKED_SHOWN]],
        "quarantine": [_quarantined(one, names) for one in status.quarantine],
        "conditions": [
            condition(deployment.data.get("status"), c.type, (c.status, c.reason, c.message), now_s)
            for c in status.conditions
        ],
    }


def history(record: RolloutRecord, status: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every kept revision, oldest first; the waves of the newest are those of the live status.

    Its result too, but where it is the way back from one that was given up: that status tells of.
    """
    rows = [_revision(one) for one in record.revisions]
    if rows and status.get("revision") == rows[-1]["number"]:
        rows[-1]["waves"] = status["waves"]
        if not status.get("givenUp"):
            rows[-1]["result"] = status["result"]
    return rows


def _verdict(status: RolloutStatus, given_up: Revision | None) -> dict[str, Any]:
    """What became of what was asked for: to be back where it began is no success."""
    if given_up is None or status.result is not Result.COMPLETE:
        return {
            "result": status.result.value if status.result else None,
            "reason": status.reason,
            "message": status.message,
        }
    ended = f"revision {given_up.number} was {given_up.result.participle}"
    message = f"{ended}: {given_up.message}" if given_up.message else ended
    return {"result": given_up.result.value, "reason": given_up.reason, "message": message}


def _given_up(revision: Revision) -> dict[str, Any]:
    return {
        "revision": revision.number,
        "result": revision.result.value,
        "reason": revision.reason,
        "message": revision.message,
    }


def _revision(revision: Revision) -> dict[str, Any]:
    names = revision.content.names
    return {
        "number": revision.number,
        "model": revision.content.model,
        "modelRevision": revision.content.model_revision,
        "origin": revision.origin.value,
        "by": revision.by or None,
        "source": revision.source,
        "result": revision.result.value,
        "reason": revision.reason,
        "message": revision.message,
        "startTime": iso(revision.started_at),
        "endTime": _time(revision.ended_at),
        "cohorts": [_content(one, names[one.cohort]) for one in revision.content.cohorts],
        "waves": [_past_wave(one, names) for one in revision.waves],
    }


def _quarantined(one: Quarantined, names: Mapping[CohortId, str]) -> dict[str, Any]:
    """A digest that failed: what for, since when, and who lifted it if somebody did."""
    return {
        "cohort": names.get(one.cohort, one.cohort),
        "digest": one.digest,
        "revision": one.revision,
        "reason": one.reason,
        "message": one.message,
        "since": iso(one.at),
        "liftedBy": one.lifted_by or None,
        "liftedAt": _time(one.lifted_at),
    }


def _cohort(cohort: CohortStatus) -> dict[str, Any]:
    return {
        "name": cohort.name,
        "profile": cohort.profile,
        "profileClass": cohort.profile_class,
        "devices": cohort.devices,
        "variant": cohort.variant,
        "fallbacks": list(cohort.fallbacks),
        "noFeasibleVariant": _infeasible(cohort.variant, cohort.misses, cohort.reason),
        "wave": cohort.wave,
    }


def _content(content: CohortContent, name: str) -> dict[str, Any]:
    variant = content.variants[0] if content.variants else None
    return {
        "name": name,
        "profile": content.profile,
        "profileClass": content.profile_class,
        "variant": variant,
        "fallbacks": list(content.variants[1:]),
        "noFeasibleVariant": _infeasible(variant, content.misses, content.reason),
    }


def _infeasible(variant: str | None, misses: Sequence[Miss], reason: str) -> dict[str, Any] | None:
    if variant is not None or not (misses or reason):
        return None
    return {"reason": reason, "nearest": [jsonform.to_json(one) for one in misses]}


def _wave(wave: WaveStatus, names: Mapping[CohortId, str]) -> dict[str, Any]:
    return {
        "name": wave.name,
        "devices": wave.devices,
        "result": wave.state.value,
        "startTime": _time(wave.started_at),
        "soakedUntil": _time(wave.soaked_until),
        "counts": _counts(wave.counts),
        "gates": [_gate(one, names) for one in wave.gates],
        "promotedBy": wave.promoted_by or None,
    }


def _past_wave(wave: WaveRecord, names: Mapping[CohortId, str]) -> dict[str, Any]:
    return {
        "name": wave.name,
        "devices": wave.devices,
        "result": wave.state.value,
        "startTime": _time(wave.started_at),
        "soakedUntil": _time(wave.ended_at),
        "counts": _counts(wave.counts),
        "gates": [_gate(one, names) for one in wave.gates],
        "promotedBy": wave.promoted_by or None,
    }


def _gate(gate: GateVerdict, names: Mapping[CohortId, str]) -> dict[str, Any]:
    document: dict[str, Any] = jsonform.to_json(gate)
    if gate.width is not None:
        document["width"]["dataFactor"] = document["width"].pop("data_factor")
    return {**document, "cohort": names.get(gate.cohort, gate.cohort)}


def _counts(counts: Sequence[Count]) -> dict[str, int]:
    return {one.outcome.value: one.devices for one in counts if one.devices}


def _time(moment_s: float | None) -> str | None:
    return None if moment_s is None else iso(moment_s)
