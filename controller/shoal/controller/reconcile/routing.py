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

_OF_CLASSES = ("arch", "isa", "engines", "providers")
_OF_SPEED = ("arch", "cpu", "cores", "isa", "speed_score")


def affected(cache: Cache, change: Change, before: Record | None) -> Iterator[Key]:
    """The keys to reconcile after `change`, which replaced `before`."""
    route = _ROUTES.get(change.record.kind)
    if route is None:
        return
    internal = change.record.kind in _INTERNAL
    if internal or change.type == "delete" or _asked_differently(change.record, before):
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
    past = (before.data.get("report") if before else None) or {}
    now = record.data.get("report") or {}
    tried = past.get("trials") != now.get("trials")
    if before is None or tried or _other_hardware(past, now, _OF_CLASSES):
        yield from _keys(cache, record.namespace, "DeviceProfile", "Model")
    if before is None or _other_hardware(past, now, _OF_SPEED):
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
        for key in one.keys() | other.keys():  # asked of every heartbeat: a loop costs least
            if key not in _BESIDE_ROLLOUTS and not _alike(one.get(key), other.get(key)):
                return False
        return True
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


def _other_hardware(past: dict[str, Any], now: dict[str, Any], keys: tuple[str, ...]) -> bool:
    """Whether two reports tell of hardware that differs in one of `keys`."""
    one, other = past.get("hardware") or {}, now.get("hardware") or {}
    return bool(one != other) and any(one.get(key) != other.get(key) for key in keys)
