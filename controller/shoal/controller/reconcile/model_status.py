"""What a Model's status says: its revisions, their searches, and what each profile would get."""

from collections.abc import Mapping
from typing import Any

from shoal.contract import jsonform
from shoal.contract.choice import Objective
from shoal.controller.domain.archive import ArchiveState, ClassArchive, ModelView
from shoal.controller.reconcile import fleet, revisions, variants
from shoal.controller.reconcile.conditions import condition
from shoal.controller.reconcile.selection import MatchedProfile
from shoal.controller.reconcile.world import World
from shoal.controller.store.port import Record

_SHOWN = 10


def build(world: World, model: Record, kept: list[Record]) -> dict[str, Any]:
    """The whole status, from the revisions alone."""
    profiles = _profiles(world, model.namespace)
    views = [world.cache.value(record, revisions.model_view) for record in kept[-_SHOWN:]]
    rows = [
        _revision(record, view, profiles)
        for record, view in zip(kept[-_SHOWN:], views, strict=True)
    ]
    newest = rows[-1] if rows else None
    return {
        "observedGeneration": model.data["metadata"].get("generation", 1),
        "revisions": rows,
        "conditions": [condition(model.data.get("status"), "Ready", _ready(newest), world.now())],
    }


def _ready(newest: Mapping[str, Any] | None) -> tuple[bool | None, str, str]:
    if newest is None or not newest["classes"]:
        return None, "NoProfileClass", "no device selected by a Deployment of this model has joined"
    if newest["ready"]:
        return True, "Ready", f"revision {newest['number']} has its variants"
    return False, newest["reason"], newest["message"]


def _profiles(world: World, namespace: str) -> dict[str, dict[str, MatchedProfile]]:
    """Profile class to the profiles whose devices are in it, by name."""
    found: dict[str, dict[str, MatchedProfile]] = {}
    for member in fleet.members(world.cache, namespace):
        if member.profile_class is not None:
            found.setdefault(member.profile_class.name, {})[member.profile.name] = member.profile
    return found


def _revision(
    record: Record, view: ModelView, profiles: Mapping[str, Mapping[str, MatchedProfile]]
) -> dict[str, Any]:
    failed = next((one for one in view.archives if one.state is ArchiveState.FAILED), None)
    stored = record.data["classes"]
    reason = "Searching"
    if failed is not None:
        reason = stored[failed.profile_class].get("reason", "")
    scores = [one["archive"]["source_score"] for one in stored.values() if one.get("archive")]
    return {
        "number": view.number,
        "digest": view.digest,
        "score": scores[0] if scores else None,
        "ready": view.ready,
        "reason": "Ready" if view.ready else reason,
        "message": failed.message if failed else "",
        "classes": {
            one.profile_class: _class(
                stored[one.profile_class], view, one, profiles.get(one.profile_class, {})
            )
            for one in view.archives
        },
    }


def _class(
    stored: Mapping[str, Any],
    view: ModelView,
    archive: ClassArchive,
    profiles: Mapping[str, MatchedProfile],
) -> dict[str, Any]:
    return {
        "state": archive.state.value,
        "variants": len(archive.points),
        "chosen": {
            name: _chosen(stored, archive, profile, view.objective)
            for name, profile in sorted(profiles.items())
        }
        if archive.state is ArchiveState.READY
        else {},
    }


def _chosen(
    stored: Mapping[str, Any],
    archive: ClassArchive,
    profile: MatchedProfile,
    objective: Objective,
) -> dict[str, Any]:
    ranked = archive.ranked(profile.budget, objective)
    if ranked:
        points = stored["archive"]["points"]
        point = next(one for one in points if one["digest"] == ranked[0].digest)
        return {
            **_figures(point),
            "latency_ms_p95": ranked[0].latency_p95_ms,
            "figures": variants.MEASURED
            if archive.is_measured(ranked[0].digest, profile.budget)
            else variants.ESTIMATE,
        }
    misses = archive.nearest(profile.budget)
    return {"noFeasibleVariant": {"nearest": [jsonform.to_json(one) for one in misses]}}


def _figures(point: Mapping[str, Any]) -> dict[str, Any]:
    """Of the stored point: its score is the metric's own."""
    return {
        "digest": point["digest"],
        "bytes": point["bytes"],
        "score": point["score"],
        "runtime": point.get("runtime", ""),
    }
