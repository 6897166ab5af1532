"""One scrape: everything read from the cache and from counters, nothing asked of a device."""

from collections.abc import Iterable

from prometheus_client import ProcessCollector
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from shoal.controller.metering import catalogue, deployments, fleet, operations
from shoal.controller.metering.families import Families
from shoal.controller.metering.traffic import Traffic
from shoal.controller.reconcile.loop import Reconciler
from shoal.controller.reconcile.world import World


class Exposition:
    """The metrics of one controller; there is no registry, so two in one process stay apart."""

    def __init__(
        self, version: str, world: World, reconciler: Reconciler, traffic: Traffic
    ) -> None:
        self._version = version
        self._world = world
        self._reconciler = reconciler
        self._traffic = traffic
        self._process = ProcessCollector(registry=None)

    async def text(self) -> bytes:
        """Everything in Prometheus' text format, version 0.0.4."""
        newest = (await self._world.store.kept())[-1]
        families = Families()
        families.set(catalogue.BUILD, (self._version,), 1)
        families.set(catalogue.STORE_VERSION, (), newest)
        fleet.write(families, self._world)
        deployments.write(families, self._world.cache, self._traffic)
        operations.write(families, self._world.cache, self._reconciler, self._traffic.batches)
        return generate_latest(_Scrape([*families.all(), *self._process.collect()]))


class _Scrape(Collector):
    """What the library's writer of the format reads from."""

    def __init__(self, families: Iterable[Family]) -> None:
        self._families = families

    def collect(self) -> Iterable[Family]:
        """The families, as they were read."""
        return self._families
