"""Embedding tables in few bits, of which only the rows looked up become floats.

A DequantizeLinear before the look-up would turn the whole table into floats at every call. In int8
the look-up comes first, twice (rows and their scales), and the product after it: standard
operators, so every runtime has them. Rounding by row is that of "vector-wise" quantization in
Dettmers et al. 2022, "LLM.int8()" (arXiv 2208.07339). In 4 bits it is onnxruntime's own operator.
"""

from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnx.version_converter import convert_version

from shoal.compressor.passes import quantizer
from shoal.compressor.passes.compact import subgraphs
from shoal.compressor.passes.protocol import Array, PassContext, PassError, PassResult
from shoal.compressor.rejections import Rejection

_INT8: Final = 8
_LEVELS: Final = 127
_BLOCK: Final = 32
_INT4_OPSET: Final = 21
_TABLE_AT_LEAST: Final = 4096  # values; smaller tables save less than three more nodes cost


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingRows:
    """Every table that Gather alone reads, along its first axis, to 8 bits with a scale a row.

    With 4 `bits` a scale and a zero for every 32 values.
    """

    method: Literal["quantize"] = field(default="quantize", init=False)
    scheme: Literal["rows"] = field(default="rows", init=False)
    bits: int = 8

    def apply(self, model: onnx.ModelProto, context: PassContext) -> PassResult:
        """The model with its tables in int8.

        Raises:
            PassError: UnsupportedOperator, there is no such table.
        """
        del context
        names = tables(model)
        if not names:
            raise PassError(
                Rejection.UNSUPPORTED_OPERATOR, "the graph has no table that Gather alone reads"
            )
        changed = _in_rows(model, names) if self.bits == _INT8 else _in_blocks(model, names)
        return PassResult(model=changed, notes={"tables": len(names), "bits": self.bits})


def tables(model: onnx.ModelProto) -> tuple[str, ...]:
    """The float tables that only Gather reads, row by row; by name, in the file's order."""
    graph = model.graph
    read_otherwise = {value.name for value in graph.output}
    for node in graph.node:
        rest = node.input[1:] if _looks_up(node) else node.input
        read_otherwise |= set(rest) | _read_inside(node)
    looked_up = {node.input[0] for node in graph.node if _looks_up(node)}
    return tuple(
        tensor.name
        for tensor in graph.initializer
        if tensor.name in looked_up - read_otherwise
        and tensor.data_type == onnx.TensorProto.FLOAT
        and len(tensor.dims) == 2
        and int(np.prod(tensor.dims)) >= _TABLE_AT_LEAST
    )


def _in_rows(model: onnx.ModelProto, names: tuple[str, ...]) -> onnx.ModelProto:
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    graph = changed.graph
    stored = {tensor.name: tensor for tensor in graph.initializer}
    for name in names:
        scales_R1, rows_RC = _rounded(numpy_helper.to_array(stored[name]))  # noqa: N806 - shapes
        graph.initializer.remove(stored[name])
        graph.initializer.append(numpy_helper.from_array(rows_RC, name))
        graph.initializer.append(numpy_helper.from_array(scales_R1, f"{name}/scales"))
    nodes = [
        one
        for node in graph.node
        for one in (_look_up(node) if node.input and node.input[0] in names else (node,))
    ]
    kept = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(kept)
    return changed


def _in_blocks(model: onnx.ModelProto, names: tuple[str, ...]) -> onnx.ModelProto:
    """4-bit numbers came with opset 21, so older graphs are raised to it."""
    from onnxruntime.quantization import (  # noqa: PLC0415 - not paid by a cached run
        matmul_nbits_quantizer as blocks,
    )

    with quantizer.quantizing():
        opset = next(o.version for o in model.opset_import if o.domain in {"", "ai.onnx"})
        raised = model if opset >= _INT4_OPSET else convert_version(model, _INT4_OPSET)
        named = quantizer.with_node_names(raised)
        work = blocks.MatMulNBitsQuantizer(
            named,
            nodes_to_exclude=[
                node.name for node in named.graph.node if set(node.input[:1]).isdisjoint(names)
            ],
            algo_config=blocks.DefaultWeightOnlyQuantConfig(
                block_size=_BLOCK,
                bits=4,
                op_types_to_quantize=("Gather",),
                quant_axes=(("Gather", 1),),
            ),
        )
        work.process()
    blocked: onnx.ModelProto = work.model.model
    return blocked


def _rounded(table_RC: Array) -> tuple[Array, Array]:  # noqa: N803 - shapes in names
    """Scales (rows, 1) and int8 values (rows, columns): a row's largest value becomes 127."""
    scales: Any = np.abs(table_RC).max(axis=1, keepdims=True).astype(np.float32) / _LEVELS
    scales[scales == 0] = 1.0
    return scales, np.round(table_RC / scales).astype(np.int8)


def _look_up(node: onnx.NodeProto) -> tuple[onnx.NodeProto, ...]:
    table, indices, answer = node.input[0], node.input[1], node.output[0]
    return (
        helper.make_node("Gather", [table, indices], [f"{answer}/int8"], axis=0),
        helper.make_node("Gather", [f"{table}/scales", indices], [f"{answer}/scale"], axis=0),
        helper.make_node("Cast", [f"{answer}/int8"], [f"{answer}/cast"], to=onnx.TensorProto.FLOAT),
        helper.make_node("Mul", [f"{answer}/cast", f"{answer}/scale"], [answer]),
    )


def _looks_up(node: onnx.NodeProto) -> bool:
    return node.op_type == "Gather" and all(a.i == 0 for a in node.attribute if a.name == "axis")


def _read_inside(node: onnx.NodeProto) -> set[str]:
    """Names that the bodies of a control-flow node read."""
    return {
        name
        for body in subgraphs(node)
        for inner in body.node
        for name in {*inner.input} | _read_inside(inner)
    } | {value.name for body in subgraphs(node) for value in body.output}
