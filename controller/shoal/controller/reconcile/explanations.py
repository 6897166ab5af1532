"""Explanations as JSON: the answers of `shoal why -o json`."""

from dataclasses import replace
from typing import Any

from shoal.contract import jsonform
from shoal.contract.reason import Reason
from shoal.controller.deciding import states
from shoal.controller.deciding.explaining import CohortWhy, DeploymentWhy, DeviceWhy
from shoal.controller.deciding.ruling import Ruling
from shoal.controller.deciding.stating import Why
from shoal.controller.reconcile.fleet import Member
from shoal.controller.reconcile.journal import iso
from shoal.controller.reconcile.world import World


def deployment(name: str, found: DeploymentWhy) -> dict[str, Any]:
    """One deployment explained."""
    return {
        "deployment": name,
        "revision": found.revision,
        "givenUp": found.given_up or None,
        "modelRevision": found.model_revision,
        **_why(found.state),
        "nextLook": None if found.next_look is None else iso(found.next_look),
        "cohorts": [_cohort(one) for one in found.cohorts],
    }


def device(deployment_name: str, found: DeviceWhy, member: Member) -> dict[str, Any]:
    """One device under one deployment, explained; who is not admitted is not selected for that."""
    state = found.state
    if state.reason == Reason.NOT_SELECTED and not member.standing.admitted:
        meant = states.of_device(member.standing, suspended=member.suspended)
        state = replace(state, what=meant.what, because="", waits_for=meant.until)
    return {
        "deployment": deployment_name,
        "outcome": found.outcome,
        **_why(state),
        "told": found.told,
        "running": found.running,
        "wave": found.wave or None,
        "place": found.place if found.place >= 0 else None,
        "cohort": _cohort(found.cohort) if found.cohort else None,
    }


def device_itself(member: Member, world: World) -> dict[str, Any]:
    """What every deployment sees of a device: its profile, class, reach and standing."""
    meant = states.of_device(member.standing, suspended=member.suspended)
    decided = bool(member.standing.by)
    return {
        "device": f"{member.namespace}/{member.name}",
        "profile": member.profile.name,
        "profileClass": member.profile_class.name if member.profile_class else None,
        "reach": member.reach(world.cadence, world.now()).value,
        "lastSeen": None if member.last_seen_s is None else iso(member.last_seen_s),
        "standing": member.standing.approval.value,
        "drained": member.standing.drained,
        "suspended": member.suspended,
        "what": meant.what,
        "because": f"by {member.standing.by} at {member.standing.since}" if decided else "",
        "waitsFor": meant.until,
    }


def _why(state: Why) -> dict[str, Any]:
    return {
        "state": state.state,
        "reason": state.reason,
        "what": state.what,
        "because": state.because,
        "waitsFor": state.waits_for,
    }


def _cohort(cohort: CohortWhy) -> dict[str, Any]:
    return {
        "name": cohort.name,
        "profile": cohort.profile,
        "devices": cohort.devices,
        "wave": cohort.wave or None,
        "variant": cohort.variant,
        "why": cohort.why,
        "variants": [_ruling(one) for one in cohort.variants],
        "gates": [jsonform.to_json(one) for one in cohort.gates],
    }


def _ruling(one: Ruling) -> dict[str, Any]:
    return {
        "digest": one.digest,
        "fate": one.fate.value,
        "why": one.why,
        "bytes": one.bytes,
        "score": one.score,
        "latencyP95Ms": one.latency_p95_ms,
        "peakMemoryBytes": one.peak_memory_bytes,
    }
