"""Which passes a change calls for. A change of status alone calls for none: status is an output."""

from collections.abc import Iterable, Iterator
from typing import Any

from shoal.controller.domain.incidents import IncidentKind
from shoal.controller.reconcile import tiers
from shoal.controller.reconcile.cache import Cache
from shoal.controller.reconcile.queue import Key
from shoal.controller.reconcile.world import Cadence
from shoal.controller.store.port import Change, Record

# What changes in an observation with every heartbeat, or now and then, and decides no rollout.
_BESIDE_ROLLOUTS = frozenset(
    {
        *("sequence", "spool_windows", "good_inferences", "disk_free_bytes", "last_seen_ms"),
        *("scouts", "trials", "speed_score"),
    }
)


def affected(cache: Cache, change: Change, before: Record | None) -> Iterator[Key]:
    """The keys to reconcile after `change`, which replaced `before`."""
    route = _ROUTES.get(change.record.kind)
    if route is None:
        return
    asked = change.type == "delete" or _asked_differently(change.record, before)
    if asked or change.record.kind in _INTERNAL:
        yield from route(cache, change.record, before)


def _device(cache: Cache, record: Record, _before: Record | None) -> Iterator[Key]:
    yield Key("Device", record.namespace, record.name)
    yield from _keys(cache, record.namespace, "DeviceProfile", "Model", "Deployment")
    if cache.get("Device", record.namespace, record.name) is None:
        yield tiers.key_of(record.namespace)


def _device_profile(cache: Cache, record: Record, _before: Record | None) -> Iterator[Key]:
    # Devices that it takes or loses are another profile's loss or gain.
    yield from _keys(cache, record.namespace, "DeviceProfile", "Device", "Model", "Deployment")


def _observation(cache: Cache, record: Record, before: Record | None) -> Iterator[Key]:
    yield Key("Device", record.namespace, record.name)
    same = before is not None and _alike(before.data, record.data)
    if before is None or not same or _was_silent(cache, record, before):
        yield from _keys(cache, record.namespace, "Deployment")
    if before is None or _of_models(before.data) != _of_models(record.data):
        yield from _keys(cache, record.namespace, "DeviceProfile", "Model")
    if before is None or _speed_of(before.data) != _speed_of(record.data):
        yield tiers.key_of(record.namespace)


def _speed_tiers(cache: Cache, record: Record, _before: Record | None) -> Iterator[Key]:
    yield from _keys(cache, record.namespace, "DeviceProfile", "Device", "Model", "Deployment")


def _model(cache: Cache, record: Record, _before: Record | None) -> Iterator[Key]:
    yield Key("Model", record.namespace, record.name)
    yield from _keys(cache, record.namespace, "Deployment")


def _model_revision(cache: Cache, record: Record, _before: Record | None) -> Iterator[Key]:
    yield Key("Model", record.namespace, str(record.data["model"]))
    yield from _keys(cache, record.namespace, "Deployment")


def _deployment(cache: Cache, record: Record, _before: Record | None) -> Iterator[Key]:
    # Deployments of one model see each other's devices, and a Model searches for their classes.
    yield from _keys(cache, record.namespace, "Model", "Deployment")


def _rollout(_cache: Cache, record: Record, before: Record | None) -> Iterator[Key]:
    # What a pass has written itself is in the cache already: the same snapshot with the record of
    # its own plan changes nothing.
    if before is None or before.resource_version < record.resource_version:
        yield Key("Deployment", record.namespace, record.name)


def _assignment(cache: Cache, record: Record, _before: Record | None) -> Iterator[Key]:
    device = cache.get("Device", record.namespace, record.name)
    shown = ((device.data.get("status") or {}).get("scouting")) if device else None
    if bool(record.data.get("trials")) != bool(shown):
        yield Key("Device", record.namespace, record.name)


_ROUTES = {
    "Device": _device,
    "DeviceProfile": _device_profile,
    "Observation": _observation,
    "SpeedTiers": _speed_tiers,
    "Model": _model,
    "ModelRevision": _model_revision,
    "Deployment": _deployment,
    "Rollout": _rollout,
    "Assignment": _assignment,
}
_INTERNAL = frozenset({"Observation", "SpeedTiers", "ModelRevision", "Rollout", "Assignment"})


def _keys(cache: Cache, namespace: str, *kinds: str) -> Iterable[Key]:
    return [Key(kind, r.namespace, r.name) for kind in kinds for r in cache.all(kind, namespace)]


def _asked_differently(record: Record, before: Record | None) -> bool:
    return before is None or any(
        record.data.get("spec") != before.data.get("spec")
        or record.data.get("standing") != before.data.get("standing")
        or record.data.get("metadata", {}).get(key) != before.data.get("metadata", {}).get(key)
        for key in ("labels", "generation", "deletionTime")
    )


def _alike(one: Any, other: Any) -> bool:
    """Whether two observations differ in nothing that bears on a rollout."""
    if one == other:
        return True
    if isinstance(one, dict) and isinstance(other, dict):
        asked = one.keys() | other.keys()
        return all(_alike(one.get(key), other.get(key)) for key in asked - _BESIDE_ROLLOUTS)
    if isinstance(one, list) and isinstance(other, list):
        ours = [part for part in one if not _is_silence(part)]
        theirs = [part for part in other if not _is_silence(part)]
        return len(ours) == len(theirs) and all(map(_alike, ours, theirs))
    return False


def _is_silence(value: Any) -> bool:
    """A silence that was noted; one that makes a difference is seen by its length."""
    return isinstance(value, dict) and value.get("kind") == IncidentKind.SILENCE


def _was_silent(cache: Cache, record: Record, before: Record) -> bool:
    """Whether the device may have counted as late or lost until this very report."""
    told = cache.get("Assignment", record.namespace, record.name)
    cadence = Cadence(heartbeat_s=float(told.data["heartbeat_s"])) if told else Cadence()
    silence_ms = record.data["last_seen_ms"] - before.data["last_seen_ms"]
    return bool(silence_ms > cadence.late_after_s * 1000)


def _of_models(observation: dict[str, Any]) -> Any:
    report = observation.get("report") or {}
    return report.get("trials"), _class_of(observation)


def _class_of(observation: dict[str, Any]) -> Any:
    return _hardware(observation, "arch", "isa", "engines", "providers")


def _speed_of(observation: dict[str, Any]) -> Any:
    return _hardware(observation, "arch", "cpu", "cores", "isa", "speed_score")


def _hardware(observation: dict[str, Any], *keys: str) -> list[Any]:
    hardware = (observation.get("report") or {}).get("hardware") or {}
    return [hardware.get(key) for key in keys]
