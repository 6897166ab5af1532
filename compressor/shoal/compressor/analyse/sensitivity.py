"""How much each layer suffers from int8, one layer at a time, measured on calibration rows.

One weighted layer after another gets 8-bit weights (symmetric, per output channel) and activations
(affine, by their least and greatest value) while the rest stays in float. The answer is the
signal-to-noise ratio at the answering output: the lowest names the layer to keep in float.

What is rounded is what the int8 that suits the network rounds. Static: what the layer reads and
makes, with ranges over all rows; so a tensor that bears no 8 bits tells of both its neighbours,
which have to stay in float together. Dynamic: what it reads, with each row's own range.

How many layers and rows are looked at is decided by multiplications, never by a clock, so that
every machine finds the same order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import onnx

from shoal.compressor.analyse import facts
from shoal.compressor.analyse.facts import Family
from shoal.compressor.analyse.probing import Probe, Reading, Span, Spans
from shoal.compressor.passes.protocol import PassContext
from shoal.compressor.passes.quantize import DYNAMIC_OPERATORS, WEIGHT_OPERATORS
from shoal.compressor.passes.quantizer import feeds
from shoal.compressor.sources.rows import Array

_ROWS: Final = (4, 24)  # at least, at most
_LAYERS_AT_MOST: Final = 64
_LAYERS_AT_LEAST: Final = 8
_WORK: Final = 100e9  # multiplications over all runs: some five seconds of one core
_ENDS: Final = 2  # first and last layers, which are often sensitive and seldom large
_NOISELESS_DB: Final = 120.0
_FUSED: Final = {"Relu", "Clip"}
_RANGED_LIVE: Final = {Family.TRANSFORMER, Family.RECURRENT}


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One weighted layer: `name` is its output, `sqnr_db` what is left when it alone is int8.

    `title` is what the source calls it, where cleaning kept the layers in order.
    """

    name: str
    title: str
    operator: str
    weights: int
    sqnr_db: float


def layers(model: onnx.ModelProto, context: PassContext) -> tuple[Layer, ...]:
    """The weighted layers of `model`, most sensitive first; empty where none has stored weights.

    Of more layers than there is work for, the ends and the largest are measured.
    """
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    weighted = [
        node
        for node in model.graph.node
        if node.op_type in WEIGHT_OPERATORS and _is_float32(stored.get(node.input[1]))
    ]
    sizes = {node.output[0]: int(np.prod(stored[node.input[1]].dims)) for node in weighted}
    titles = _titles(weighted, context.source)
    rows = [feed for feed, _ in zip(feeds(context), range(_ROWS[1]), strict=False)]
    if not weighted or not rows:
        return ()
    measured = _foremost(weighted, sizes, _LAYERS_AT_MOST)
    live = DYNAMIC_OPERATORS if facts.read(model).family in _RANGED_LIVE else ()
    results = _results(model, [node for node in measured if node.op_type not in live])
    probe = Probe(model, measured, results, context.output)
    first = probe.read(rows[0])
    work = sum(_products(node, first.read[node.output[0]], sizes) for node in measured)
    measured = _foremost(measured, sizes, max(_LAYERS_AT_LEAST, int(_WORK / work / _ROWS[0])))
    rows = rows[: max(_ROWS[0], int(_WORK / work / len(measured)))]
    readings = [first, *(probe.read(row) for row in rows[1:])]
    found = [
        Layer(
            name=node.output[0],
            title=titles.get(node.output[0], node.output[0]),
            operator=node.op_type,
            weights=sizes[node.output[0]],
            sqnr_db=_sqnr_db(probe, node.output[0], rows, readings),
        )
        for node in measured
    ]
    return tuple(sorted(found, key=lambda layer: (layer.sqnr_db, layer.name)))


def _is_float32(weight: onnx.TensorProto | None) -> bool:
    return weight is not None and weight.data_type == onnx.TensorProto.FLOAT


def _titles(weighted: Sequence[onnx.NodeProto], source: onnx.ModelProto) -> dict[str, str]:
    """Names of the source's layers by the cleaned ones' outputs, matched by place."""
    fixed = {tensor.name for tensor in source.graph.initializer}
    theirs = []
    for node in source.graph.node:
        if set(node.input) <= fixed:  # a constant, or made of constants
            fixed |= set(node.output)
        elif node.op_type in WEIGHT_OPERATORS and node.input[1] in fixed:
            theirs.append(node)
    if len(theirs) != len(weighted):
        return {}
    return {
        ours.output[0]: named.name or named.output[0]
        for ours, named in zip(weighted, theirs, strict=True)
    }


def _foremost(
    weighted: Sequence[onnx.NodeProto], sizes: Mapping[str, int], most: int
) -> list[onnx.NodeProto]:
    """At most so many layers, in the graph's order: its ends, then the largest."""
    places = range(len(weighted))
    by_size = sorted(places, key=lambda place: -sizes[weighted[place].output[0]])
    wanted = dict.fromkeys((*places[:_ENDS], *places[-_ENDS:], *by_size))
    return [weighted[place] for place in sorted(list(wanted)[:most])]


def _products(node: onnx.NodeProto, read: Array, sizes: Mapping[str, int]) -> int:
    """Multiplications of one run. Example: a 3x3 kernel, 8 to 16 channels, over 10x10: 115,200."""
    size = sizes[node.output[0]]
    if node.op_type != "Conv":
        return size * int(np.prod(read.shape[:-1]))
    strides = next((a.ints for a in node.attribute if a.name == "strides"), (1,))
    return size * int(np.prod(read.shape[2:])) // int(np.prod(strides))


def _results(model: onnx.ModelProto, static: Sequence[onnx.NodeProto]) -> dict[str, str]:
    """The tensor that each static layer's integers are rounded to: behind what is fused with it."""
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in model.graph.node:
        for name in dict.fromkeys(node.input):
            readers.setdefault(name, []).append(node)
    results = {}
    for node in static:
        reading = readers.get(node.output[0], [])
        fused = len(reading) == 1 and reading[0].op_type in _FUSED
        results[node.output[0]] = reading[0].output[0] if fused else node.output[0]
    return results


def _sqnr_db(
    probe: Probe, name: str, rows: Sequence[Mapping[str, Array]], readings: Sequence[Reading]
) -> float:
    spans: list[Spans] = [(_span(reading.read[name]), None) for reading in readings]
    if name in readings[0].made:
        whole = (
            _span(*(reading.read[name] for reading in readings)),
            _span(*(reading.made[name] for reading in readings)),
        )
        spans = [whole] * len(readings)
    weight = probe.rounded(name)
    signal = noise = 0.0
    for row, reading, span in zip(rows, readings, spans, strict=True):
        truth = reading.answer.astype(np.float64)
        signal += float((truth**2).sum())
        noise += float(((truth - probe.answer(row, name, weight, span)) ** 2).sum())
    return round(_decibels(signal, noise), 1)


def _span(*values: Array) -> Span:
    return min(float(one.min()) for one in values), max(float(one.max()) for one in values)


def _decibels(signal: float, noise: float) -> float:
    if noise == 0 or signal == 0:
        return _NOISELESS_DB if noise == 0 else 0.0
    return min(10 * float(np.log10(signal / noise)), _NOISELESS_DB)
