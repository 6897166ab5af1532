"""What the controller itself is at: resources, searches, passes."""

from collections import Counter
from collections.abc import Mapping

from shoal.controller.domain.archive import ArchiveState
from shoal.controller.metering import catalogue
from shoal.controller.metering.families import Families
from shoal.controller.reconcile.cache import Cache
from shoal.controller.reconcile.loop import Reconciler
from shoal.controller.reconcile.meter import Ending

_RESOURCES = ("Deployment", "Device", "DeviceProfile", "Event", "Model", "Variant")


def write(
    families: Families, cache: Cache, reconciler: Reconciler, batches: Mapping[str, int]
) -> None:
    """Every sample that is neither of a device nor of a deployment."""
    for kind in _RESOURCES:
        families.set(catalogue.RESOURCES, (kind,), cache.count(kind))
    for outcome, count in batches.items():
        families.set(catalogue.BATCHES, (outcome,), count)
    _searches(families, cache)
    meter = reconciler.meter
    families.set(catalogue.QUEUE, (), reconciler.waiting)
    for kind in reconciler.kinds:
        families.set(catalogue.SECONDS, (kind,), meter.seconds.get(kind, 0.0))
        for ending in Ending:
            families.set(catalogue.PASSES, (kind, ending), meter.passes[kind, ending])


def _searches(families: Families, cache: Cache) -> None:
    counts = Counter(
        (record.namespace, one.get("state"))
        for record in cache.unordered("ModelRevision")
        for one in record.data["classes"].values()
    )
    for namespace in sorted({namespace for namespace, _ in counts}):
        for state in ArchiveState:
            families.set(catalogue.SEARCHES, (namespace, state), counts[namespace, state])
