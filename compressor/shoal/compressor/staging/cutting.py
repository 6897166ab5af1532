"""Where to cut: the fewest stages whose memory fits, and of those the ones that hand least on.

The graph is taken in its own order, so a stage is a run of steps and a cut a position between two.
With m(i, j) the planned memory of steps i to j, the best way to reach position j is the best way to
reach some i < j with m(i, j) within the budget, plus the bytes that cross j: dynamic programming
over positions, fewest stages first and least bytes handed on second. Ties go to the earliest cut.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from shoal.compressor.analyse import liveness
from shoal.compressor.analyse.liveness import Flow, Lives

NODE_BYTES: Final = 8_192  # what the runtime keeps for a node of a loaded graph
_PAGE_RUN_BYTES: Final = 1 << 21  # mapped at most around one row looked up in a stored table
_PACKED: Final = {
    *("MatMul", "Gemm", "FusedMatMul", "FusedGemm", "MatMulInteger", "MatMulIntegerToFloat"),
    *("DynamicQuantizeMatMul", "QLinearMatMul", "QGemm", "MatMulNBits", "QAttention", "Attention"),
    *("QLinearConv", "ConvInteger", "LSTM", "GRU", "DynamicQuantizeLSTM"),
}


class CutError(Exception):
    """No cuts make every stage fit: the step that is too large by itself, and its bytes."""

    def __init__(self, step: int, operator: str, needed_bytes: int) -> None:
        super().__init__(f"{operator} alone takes {needed_bytes} bytes")
        self.step = step
        self.operator = operator
        self.needed_bytes = needed_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A run of steps [start, end), the memory planned for it, and the bytes handed on behind it."""

    start: int
    end: int
    planned_bytes: int
    cut_bytes: int


class Costs:
    """Planned memory of any run of steps, without what every session costs."""

    def __init__(self, graph: Flow) -> None:
        self.graph = graph
        self.lives: Lives = liveness.lives(graph)
        self.live = liveness.live_bytes(graph)
        size = len(graph.steps)
        self.handed = [0] * (size + 1)
        self.closed = [True] * (size + 1)
        for name, made in self.lives.made.items():
            for position in range(made + 1, min(self.lives.used[name], size) + 1):
                if made >= 0:
                    self.handed[position] += graph.bytes_of(name)
                self.closed[position] &= bool(graph.tensors[name].dtype)
        self._resident = [_resident(graph, step) for step in range(size)]

    def runs(self, start: int) -> list[int]:
        """Bytes of the runs [start, start + 1), [start, start + 2), … to the end.

        A run holds its weights, each once; while it is loaded the largest packed one twice; and
        the activations of its fullest moment beside what it was handed.
        """
        held: dict[str, int] = {}
        weights = twice = live = 0
        result = []
        for step in range(start, len(self.graph.steps)):
            for name, (size, extra) in self._resident[step].items():
                weights += max(size - held.get(name, 0), 0)
                held[name] = max(size, held.get(name, 0))
                twice = max(twice, extra)
            live = max(live, self.live[step])
            nodes = (step - start + 1) * NODE_BYTES
            result.append(nodes + weights + max(twice, live + self.handed[start]))
        return result


def _resident(graph: Flow, step: int) -> dict[str, tuple[int, int]]:
    """What each weight of a step takes once loaded, and besides while it is packed."""
    node = graph.steps[step]
    result = {}
    for name in node.weights:
        size = graph.bytes_of(name)
        if node.operator == "Gather":
            rows = max((graph.tensors[i].numbers for i in node.reads), default=0)
            result[name] = (min(size, rows * _PAGE_RUN_BYTES), 0)
        else:
            result[name] = (size, size if node.operator in _PACKED else 0)
    return result


def cuts(costs: Costs, budget_bytes: int) -> tuple[Cut, ...]:
    """The stages for a budget that leaves out what every session costs.

    Raises:
        CutError: a step that does not fit by itself.
    """
    size = len(costs.graph.steps)
    best: list[tuple[int, int, int] | None] = [None] * (size + 1)  # stages, handed on, previous cut
    best[0] = (0, 0, 0)
    for start in range(size):
        reached = best[start]
        if reached is None:
            continue
        for end, needed in enumerate(costs.runs(start), start + 1):
            if needed > budget_bytes:
                break  # a longer run from the same start never takes less
            offer = (reached[0] + 1, reached[1] + costs.handed[end], start)
            known = best[end]
            if costs.closed[end] and (known is None or offer < known):
                best[end] = offer
    if best[size] is None:
        raise _too_large(costs)
    return _walk(costs, best)


def _walk(costs: Costs, best: Sequence[tuple[int, int, int] | None]) -> tuple[Cut, ...]:
    size = len(costs.graph.steps)
    found, end = [], size
    while end > 0:
        reached = best[end]
        assert reached is not None
        start = reached[2]
        found.append(
            Cut(
                start=start,
                end=end,
                planned_bytes=costs.runs(start)[end - start - 1],
                cut_bytes=costs.handed[end] if end < size else 0,
            )
        )
        end = start
    return tuple(reversed(found))


def _too_large(costs: Costs) -> CutError:
    alone = [costs.runs(step)[0] for step in range(len(costs.graph.steps))]
    worst = max(range(len(alone)), key=lambda step: alone[step])
    return CutError(worst, costs.graph.steps[worst].operator, alone[worst])
