"""How much memory a model will take, before it is measured.

A session holds its file's weights; while they are read, the largest twice; kernels make packed
copies, whose originals the allocator reuses in part; convolutions of x86 rewrite their weights into
blocks of channels (NCHWc) in the graph first, so theirs are there three times; every node costs
some kilobytes, and activations are kept in an arena that grows in powers of two.

The shares below were fitted to the measured peaks of 54 files: MLPs, residual and separable CNNs,
an LSTM and transformers, in float, static int8 (QOperator and QDQ), dynamic int8 and blocks of 8
and 4 bits, with onnxruntime 1.31 on x86-64 and glibc; none is off by more than 11 %. `python -m
bench.predictors` makes such a comparison anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from shoal.compressor.analyse.operations import Work

_KERNELS_BYTES: Final = 930_000  # code and tables that a first real operator touches
_NODE_BYTES: Final = 5_100
_ARENA: Final = 2.0
_COPIED: Final[Mapping[str, float]] = {  # share of an operator's weights that is there once more
    "Conv": 2.16,
    "FusedConv": 0.2,
    "QLinearConv": 1.11,
    "QGemm": 1.5,
    "DynamicQuantizeMatMul": 0.36,
    "MatMulIntegerToFloat": 0.36,
    "MatMulInteger": 0.36,
    "MatMul": 0.18,
    "FusedMatMul": 0.18,
    "Gemm": 0.18,
    "FusedGemm": 0.18,
    "QLinearMatMul": 0.21,
    "MatMulNBits": 0.36,
    "LSTM": 0.87,
    "GRU": 0.87,
    "RNN": 0.87,
}
_UNTIED: Final = 0.17  # of weights that the runtime writes out more often than the file has them


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The parts of a predicted peak."""

    session_bytes: int
    weight_bytes: int
    copied_bytes: int
    node_bytes: int
    activation_bytes: int

    @property
    def bytes(self) -> int:
        """The whole: what `peak_memory_bytes` would be (contracts: section 3)."""
        parts = (self.weight_bytes, self.copied_bytes, self.node_bytes, self.activation_bytes)
        return self.session_bytes + sum(parts)


def plan(work: Work, session_bytes: int) -> Plan:
    """The peak of `work`, where a session of nothing takes `session_bytes`.

    Example: weights of 10 MB in two QGemm, the larger 6 MB: packing makes 15 MB of copies, more
    than the 6 MB that reading takes besides, so 25 MB and what nodes and activations take.
    """
    packed = sum(_COPIED.get(one.operator, 0.0) * one.weight_bytes for one in work.operations)
    used = sum(one.weight_bytes for one in work.operations)
    untied = _UNTIED * max(used - 1.02 * work.weight_bytes, 0.0)
    return Plan(
        session_bytes=session_bytes,
        weight_bytes=work.weight_bytes,
        copied_bytes=int(max(packed + untied, work.largest_weight_bytes)),
        node_bytes=_KERNELS_BYTES + _NODE_BYTES * work.nodes,
        activation_bytes=int(_ARENA * work.live_bytes),
    )


def predict(work: Work, session_bytes: int) -> int:
    """The predicted `peak_memory_bytes` alone."""
    return plan(work, session_bytes).bytes
