"""The ranges of a graph's values over calibration rows: what static int8 is scaled by.

Every row gives the least and greatest number of every value; a rule makes one range of them. MinMax
keeps all numbers and spends steps on outliers; the mean of the rows' extremes cuts outliers off.
Jacob et al. 2018 (arXiv 1712.05877) smooth ranges over rows for the same reason.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from shoal.compressor.litert import flatfile, tracing
from shoal.compressor.litert.choices import Ranges
from shoal.compressor.passes.protocol import Array
from shoal.engines import litert


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Extremes:
    """The least and greatest number of every tensor, one entry a row, by tensor name."""

    low: Mapping[str, Array]
    high: Mapping[str, Array]

    def ranges(self, rule: Ranges) -> dict[str, tuple[float, float]]:
        """One range a tensor, always with zero inside.

        Example: highs 1, 1, 1, 5 of four rows: MinMax gives 5, the mean 2, and the quantile, which
        drops one row in twenty on either side, 4.4.
        """
        low, high = _RULES[rule]
        return {
            name: (min(low(self.low[name]), 0.0), max(high(self.high[name]), 0.0))
            for name in self.low
        }


def observe(data: bytes, feeds: Iterable[Mapping[str, Array]]) -> Extremes:
    """The extremes of every float tensor that the file computes, over `feeds`."""
    interpreter = tracing.open_traced(data)
    runner = litert.LiteRunner(interpreter)
    graph = flatfile.unpack(data).subgraphs[0]
    computed = {*graph.inputs, *(one for made in graph.operators for one in made.outputs)}
    tensors = {
        detail["name"]: detail["index"]
        for detail in interpreter.get_tensor_details()
        if detail["dtype"] is np.float32 and detail["index"] in computed
    }
    low: dict[str, list[float]] = {name: [] for name in tensors}
    high: dict[str, list[float]] = {name: [] for name in tensors}
    for feed in feeds:
        runner.run([], feed)
        for name, index in tensors.items():
            values = interpreter.get_tensor(index)
            low[name].append(float(values.min()))
            high[name].append(float(values.max()))
    return Extremes(
        low={name: np.array(found) for name, found in low.items()},
        high={name: np.array(found) for name, found in high.items()},
    )


def _least(extremes: Array) -> float:
    return float(extremes.min())


def _greatest(extremes: Array) -> float:
    return float(extremes.max())


def _mean(extremes: Array) -> float:
    return float(extremes.mean())


def _low_quantile(extremes: Array) -> float:
    return float(np.quantile(extremes, 0.05))


def _high_quantile(extremes: Array) -> float:
    return float(np.quantile(extremes, 0.95))


_RULES: Final[Mapping[Ranges, tuple[Callable[[Array], float], Callable[[Array], float]]]] = {
    Ranges.MINMAX: (_least, _greatest),
    Ranges.QUANTILE: (_low_quantile, _high_quantile),
    Ranges.MEAN: (_mean, _mean),
}
