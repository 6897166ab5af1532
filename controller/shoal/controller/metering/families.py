"""The samples of one scrape, by metric of the catalogue."""

from collections.abc import Sequence

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.metrics_core import Metric as Family

from shoal.controller.metering.catalogue import METRICS, Metric, Type

_Family = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily


class Families:
    """Every metric is here from the start, so that one without samples is described too."""

    def __init__(self) -> None:
        self._families: dict[str, _Family] = {one.name: _family(one) for one in METRICS}

    def set(self, metric: Metric, labels: Sequence[str], value: float) -> None:
        """Add the one sample of a counter or a gauge with these labels."""
        family = self._families[metric.name]
        assert not isinstance(family, HistogramMetricFamily)
        family.add_metric(labels, value)

    def one_hot(
        self, metric: Metric, labels: Sequence[str], values: Sequence[str], now: str
    ) -> None:
        """A sample for each of `values`, the last label: 1 for `now`, 0 for the others."""
        for value in values:
            self.set(metric, (*labels, value), value == now)

    def histogram(
        self,
        metric: Metric,
        labels: Sequence[str],
        bounds: Sequence[float],
        counts: Sequence[int],
        total: float,
    ) -> None:
        """Buckets from their own counts; the last of `counts` is of what is beyond all `bounds`."""
        family = self._families[metric.name]
        assert isinstance(family, HistogramMetricFamily)
        seen, buckets = 0, []
        for bound, count in zip((*map(str, bounds), "+Inf"), counts, strict=True):
            seen += count
            buckets.append((bound, seen))
        family.add_metric(labels, buckets, total)

    def all(self) -> list[Family]:
        """In the order of the catalogue."""
        return list(self._families.values())


def _family(metric: Metric) -> _Family:
    kinds: dict[Type, type[_Family]] = {
        Type.COUNTER: CounterMetricFamily,
        Type.GAUGE: GaugeMetricFamily,
        Type.HISTOGRAM: HistogramMetricFamily,
    }
    return kinds[metric.type](metric.name, metric.help, labels=metric.labels)
