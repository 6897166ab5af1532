"""How many devices there are, by how recently they were heard."""

from collections import Counter

from shoal.controller.domain.fleet import Reach
from shoal.controller.metering import catalogue
from shoal.controller.metering.families import Families
from shoal.controller.reconcile.fleet import reach_of
from shoal.controller.reconcile.world import World


def write(families: Families, world: World) -> None:
    """One look at each device's last sign of life, and none at what it said."""
    now, cadence, cache = world.now(), world.cadence, world.cache
    heard = {
        (one.namespace, one.name): one.data["last_seen_ms"] / 1000
        for one in cache.unordered("Observation")
    }
    counts = Counter(
        (device.namespace, reach_of(heard.get((device.namespace, device.name)), cadence, now))
        for device in cache.unordered("Device")
    )
    for namespace in sorted({namespace for namespace, _ in counts}):
        for reach in Reach:
            families.set(catalogue.DEVICES, (namespace, reach), counts[namespace, reach])
