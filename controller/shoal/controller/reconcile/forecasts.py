"""A forecast as JSON: the answer of `shoal plan -o json`."""

from collections.abc import Mapping, Sequence
from typing import Any

from shoal.contract import jsonform, units
from shoal.contract.reason import Reason
from shoal.controller.deciding import foreseeing
from shoal.controller.deciding.foreseeing import CohortForecast, DeviceForecast, Forecast
from shoal.controller.deciding.rehearsing import Rehearsal
from shoal.controller.reconcile.fleet import Member
from shoal.controller.reconcile.shipping import Shipment


def document(
    found: Forecast, everyone: Sequence[Member], shipped: Mapping[str, Shipment]
) -> dict[str, Any]:
    """One deployment of a plan; `follows` is for who knows of a model revision still to come."""
    members = {one.name: one for one in everyone}
    names = {one.cohort: one.name for one in found.cohorts}
    devices = [
        _device(one, members.get(one.device), names, shipped.get(one.device))
        for one in found.devices
    ]
    status, current = found.plan.status, found.plan.record.current
    return {
        "deployment": found.deployment,
        "starts": found.starts,
        "revision": status.revision,
        "modelRevision": status.model_revision,
        "result": status.result.value if status.result else None,
        "reason": status.reason,
        "message": status.message,
        "waves": [one.name for one in current.content.strategy.waves] if current else [],
        "cohorts": [_cohort(one) for one in found.cohorts],
        "devices": devices,
        "bytesToMove": sum(one["bytesToMove"] for one in devices),
        "starved": [jsonform.to_json(one) for one in found.starved],
        "rehearsal": _rehearsal(found.rehearsal),
        "follows": None,
    }


def _device(
    device: DeviceForecast,
    member: Member | None,
    names: Mapping[Any, str],
    shipment: Shipment | None,
) -> dict[str, Any]:
    bytes_of = shipment.bytes_of if shipment else {}
    reason, message = device.reason, device.message
    need = bytes_of.get(device.variant, 0) if device.variant else 0
    free = shipment.free_bytes if shipment else None
    if free is not None and need > free and not reason:
        reason = Reason.DISK_FULL
        message = f"it needs {units.format_size(need)} and has {units.format_size(free)} free"
    return {
        "device": device.device,
        "profile": member.profile.name if member else None,
        "cohort": names.get(device.cohort),
        "change": device.change.value,
        "current": device.current,
        "variant": device.variant,
        "mayFallTo": list(device.may_fall_to),
        "bytesToMove": need,
        "bytesByVariant": bytes_of,
        "wave": device.wave or None,
        "afterSeconds": device.after_s,
        "reason": reason,
        "message": message,
    }


def _cohort(cohort: CohortForecast) -> dict[str, Any]:
    nothing = None
    if cohort.variant is None:
        nothing = {
            "reason": cohort.reason,
            "message": foreseeing.unfit(cohort.misses, cohort.reason),
            "nearest": [jsonform.to_json(one) for one in cohort.misses],
        }
    return {
        "name": cohort.name,
        "profile": cohort.profile,
        "profileClass": cohort.profile_class,
        "devices": cohort.devices,
        "variant": cohort.variant,
        "mayFallTo": list(cohort.may_fall_to),
        "noFeasibleVariant": nothing,
    }


def _rehearsal(rehearsal: Rehearsal | None) -> dict[str, Any] | None:
    if rehearsal is None:
        return None
    return {
        "end": rehearsal.end.value,
        "seconds": rehearsal.seconds,
        "waits": [
            {
                "reason": one.reason,
                "message": one.message,
                "afterSeconds": one.after_s,
                "seconds": one.seconds,
            }
            for one in rehearsal.waits
        ],
    }
