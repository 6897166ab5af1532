"""The pass of a namespace's speed tiers: from what devices measured of themselves to their tiers.

What the last pass found is kept, because a device leaves its tier only where it is clearly faster
or slower than that. Where all devices of a hardware are of one tier nothing is kept of it.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shoal.contract import jsonform
from shoal.contract.profile import HardwareProfile
from shoal.contract.report import DeviceReport
from shoal.controller.domain import tiers
from shoal.controller.domain.tiers import Tiers
from shoal.controller.reconcile.cache import Cache
from shoal.controller.reconcile.queue import Key
from shoal.controller.reconcile.world import World, delete_of, put_over
from shoal.controller.store.port import Record

KIND = "SpeedTiers"
NAME = "all"  # one record a namespace


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Of which hardware a device was when its tier was decided, and the anchor of that."""

    hardware: str
    anchor: int


def key_of(namespace: str) -> Key:
    """What one pass of a namespace reconciles."""
    return Key(KIND, namespace, NAME)


def hardware_of(profile: HardwareProfile) -> str:
    """Devices of one hardware are compared with one another: 16 digits of its hash."""
    text = json.dumps([profile.arch, profile.cpu, profile.cores, sorted(profile.isa)])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def place_of(cache: Cache, namespace: str, device: str) -> Place | None:
    """Where a device was last put; None where its hardware is of one tier."""
    record = cache.get(KIND, namespace, NAME)
    return cache.value(record, _places).get(device) if record else None


def speed_tier(place: Place | None, hardware: HardwareProfile) -> int:
    """The tier in a device's class; one that was of other hardware then is in none yet."""
    return place.anchor if place and place.hardware == hardware_of(hardware) else 0


async def reconcile(world: World, key: Key) -> None:
    """Bring the tiers of a namespace up to date."""
    record = world.cache.get(KIND, key.namespace, NAME)
    before = _stored(record)
    found = {
        hardware: tiers.clustered(scores, before.get(hardware, Tiers()))
        for hardware, scores in _scores(world.cache, key.namespace).items()
    }
    after = {hardware: one for hardware, one in sorted(found.items()) if one.anchors}
    if after == before:
        return
    if not after and record is not None:
        await world.commit([delete_of(record)])
        return
    kept = {name: jsonform.to_json(one) for name, one in after.items()}
    await world.commit([put_over(record, KIND, (key.namespace, NAME), {"hardware": kept})])


def _scores(cache: Cache, namespace: str) -> dict[str, dict[str, float]]:
    """The scores of each hardware's devices."""
    scores: dict[str, dict[str, float]] = {}
    for device in cache.all("Device", namespace):
        observation = cache.get("Observation", namespace, device.name)
        profile = cache.value(observation, read_report).hardware if observation else None
        if profile is not None and profile.speed_score is not None:
            scores.setdefault(hardware_of(profile), {})[device.name] = profile.speed_score
    return scores


def read_report(observation: Record) -> DeviceReport:
    """What a device said last."""
    return jsonform.from_json(DeviceReport, observation.data["report"])


def _stored(record: Record | None) -> dict[str, Tiers]:
    kept: Mapping[str, Any] = record.data["hardware"] if record else {}
    return {name: jsonform.from_json(Tiers, one) for name, one in kept.items()}


def _places(record: Record) -> dict[str, Place]:
    return {
        device: Place(hardware=hardware, anchor=anchor)
        for hardware, one in _stored(record).items()
        for device, anchor in one.devices
    }
