"""The pass of a Device: its conditions, profile and what it runs, from its last report."""

from collections.abc import Mapping
from typing import Any

from shoal.contract import jsonform
from shoal.contract.report import DeploymentReport, DeviceReport
from shoal.controller.domain.fleet import Reach
from shoal.controller.domain.standing import Approval
from shoal.controller.reconcile import desired, fleet
from shoal.controller.reconcile.conditions import condition
from shoal.controller.reconcile.fleet import Member
from shoal.controller.reconcile.journal import iso
from shoal.controller.reconcile.queue import Key
from shoal.controller.reconcile.world import World, put_over
from shoal.controller.store.port import Record, Write

# A status that differs only in when the device was last seen is written this rarely.
_LAST_SEEN_S = 15.0


async def reconcile(world: World, key: Key) -> float | None:
    """Bring one Device's status up to date; returns when silence will change it."""
    record = world.cache.get("Device", key.namespace, key.name)
    if record is None:
        return None
    now = world.now()
    profiles = [(r.name, r.data["spec"]) for r in world.cache.all("DeviceProfile", key.namespace)]
    member = fleet.member_of(world.cache, record, profiles)
    writes: list[Write] = []
    first = desired.first_write(world, member)
    if first is not None:
        writes.append(first)
    status = _status(record, member, member.reach(world.cadence, now), now)
    status |= {"scouting": _scouting(world, member)} if member.report else {}
    if _differs(status, record.data.get("status") or {}, member.last_seen_s):
        writes.append(
            put_over(
                record, "Device", (record.namespace, record.name), {**record.data, "status": status}
            )
        )
    await world.commit(writes)
    return member.reach_changes_at(world.cadence, now)


def _status(record: Record, member: Member, reach: Reach, now_s: float) -> dict[str, Any]:
    before = record.data.get("status") or {}
    report = member.report
    conditions = [
        condition(before, name, value, now_s)
        for name, value in (
            ("Ready", _ready(reach, member)),
            ("Reachable", _reachable(reach)),
            ("Serving", _serving(report)),
            ("Admitted", _admitted(member)),
            ("Profiled", _profiled(record, member)),
        )
    ]
    status: dict[str, Any] = {
        "conditions": conditions,
        "profile": member.profile.name,
        "profileClass": member.profile_class.name if member.profile_class else None,
        "lastSeen": None if member.last_seen_s is None else iso(member.last_seen_s),
    }
    if report is None:
        return status
    return status | {
        "hardware": jsonform.to_json(report.hardware),
        "speedTier": member.profile_class.speed_tier if member.profile_class else 0,
        "agentVersion": report.agent_version,
        "link": report.link,
        "servingUrl": report.serving_url,
        "spool": report.spool_windows,
        "running": [_running(one) for one in report.deployments if one.running],
        "outcomes": [_outcome(one) for one in report.deployments],
    }


def _differs(
    status: Mapping[str, Any], before: Mapping[str, Any], last_seen_s: float | None
) -> bool:
    """Whether the status is worth a write; time alone is only now and then."""
    if _lasting(status) != _lasting(before):
        return True
    known = before.get("lastSeen")
    return last_seen_s is not None and (known or "") < iso(last_seen_s - _LAST_SEEN_S)


def _lasting(status: Mapping[str, Any]) -> dict[str, Any]:
    hardware = {k: v for k, v in status.get("hardware", {}).items() if k != "disk_free_bytes"}
    return {**{k: v for k, v in status.items() if k != "lastSeen"}, "hardware": hardware}


def _ready(reach: Reach, member: Member) -> tuple[bool | None, str, str]:
    if member.standing.approval is not Approval.APPROVED:
        return _admitted(member)
    if member.report is None:
        return None, "NeverReported", "the device has enrolled but not reported yet"
    if reach is Reach.LOST:
        return False, "Lost", "nothing was heard from it for a long time"
    return True, "Reporting", ""


def _profiled(record: Record, member: Member) -> tuple[bool | None, str, str]:
    """Whether it has the profile that it names; without a name, any that matches."""
    named = (record.data.get("spec") or {}).get("profile")
    if named in {None, member.profile.name}:
        return True, "Profiled", member.profile.name
    message = f"there is no DeviceProfile {named}: it has {member.profile.name}"
    return False, "NotFound", message


def _admitted(member: Member) -> tuple[bool | None, str, str]:
    """Whether deployments may select it."""
    standing = member.standing
    if standing.approval is Approval.PENDING:
        return False, "Pending", f"it waits for approval: shoal device approve {member.name}"
    decided = f"by {standing.by} at {standing.since}"
    if standing.approval is Approval.REVOKED:
        return False, "Revoked", f"revoked {decided}"
    if standing.drained:
        return False, "Drained", f"drained {decided}: shoal device approve {member.name} ends that"
    return True, "Approved", ""


def _reachable(reach: Reach) -> tuple[bool | None, str, str]:
    return reach is Reach.REACHABLE, reach.value.capitalize(), ""


def _serving(report: DeviceReport | None) -> tuple[bool | None, str, str]:
    running = [one for one in report.deployments if one.running] if report else []
    if running:
        return True, "Serving", ", ".join(sorted(one.running_model for one in running))
    return False, "NothingActive", "no model is active"


def _running(one: DeploymentReport) -> dict[str, Any]:
    return {
        "deployment": one.deployment,
        "model": one.running_model,
        "revision": one.running_revision,
        "digest": one.running,
        "generation": one.running_generation,
    }


def _scouting(world: World, member: Member) -> list[dict[str, Any]]:
    told = world.cache.get("Assignment", member.namespace, member.name)
    trials = (told.data.get("trials") or {}) if told else {}
    asked = [one["assignment"] for one in trials.values()]
    return [
        {"model": one["model"], "revision": one["revision"], "digest": one["variant"]}
        for one in asked
    ]


def _outcome(one: DeploymentReport) -> dict[str, Any]:
    return {
        "deployment": one.deployment,
        "generation": one.generation,
        "revision": one.revision,
        "phase": one.phase.value,
        "reason": one.reason,
        "message": one.message,
    }
