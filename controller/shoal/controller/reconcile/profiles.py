"""The pass of a DeviceProfile: how many devices have it, and of which profile classes they are."""

from shoal.controller.reconcile import fleet
from shoal.controller.reconcile.queue import Key
from shoal.controller.reconcile.world import World, put_over


async def reconcile(world: World, key: Key) -> float | None:
    """Bring one DeviceProfile's status up to date; time alone never changes it."""
    record = world.cache.get("DeviceProfile", key.namespace, key.name)
    if record is None:
        return None
    everyone = fleet.members(world.cache, key.namespace)
    mine = [one for one in everyone if one.profile.name == key.name]
    classes = {one.profile_class.name for one in mine if one.profile_class is not None}
    status = {"members": len(mine), "profileClasses": sorted(classes)}
    if status != record.data.get("status"):
        place = (key.namespace, key.name)
        await world.commit(
            [put_over(record, record.kind, place, {**record.data, "status": status})]
        )
    return None
