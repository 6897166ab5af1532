"""Weights of MatMul and Gemm in blocks of 8 or 4 bits with a scale each, activations in float.

onnxruntime's block quantizer, rounding to nearest. Its kernel multiplies in int8 only where the
operator's accuracy level says that it may (4); without it a call takes two to four times as long.
"""

from dataclasses import dataclass, field
from typing import Any, Final, Literal

import onnx

from shoal.compressor.passes import quantizer
from shoal.compressor.passes.protocol import IN_TITLE, PassContext, PassError, PassResult
from shoal.compressor.passes.quantize import PRODUCTS
from shoal.compressor.rejections import Rejection

_INT8_KERNEL: Final = 4  # `accuracy_level`: activations may be rounded to 8 bits inside the kernel


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightBlocks:
    """Weights in blocks of `block_size` values of `bits` bits; one scale, and a zero, a block.

    `layers` and `exclude` name outputs of nodes; empty `layers` means all.
    """

    method: Literal["quantize"] = field(default="quantize", init=False)
    scheme: Literal["blocks"] = field(default="blocks", init=False)
    bits: int = field(default=8, metadata=IN_TITLE)
    block_size: int = 128
    symmetric: bool = True
    layers: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def apply(self, model: onnx.ModelProto, context: PassContext) -> PassResult:
        """The model with MatMulNBits in place of the chosen products.

        Raises:
            PassError: UnsupportedOperator, nothing to store in blocks; BuildFailed.
        """
        del context
        named = quantizer.with_node_names(model)
        with quantizer.quantizing():
            blocked = self._blocked(named)
        count = sum(node.op_type == "MatMulNBits" for node in blocked.graph.node)
        if not count:
            raise PassError(
                Rejection.UNSUPPORTED_OPERATOR, "the graph has no stored MatMul weight for blocks"
            )
        return PassResult(model=blocked, notes={"layers_in_blocks": count})

    def _blocked(self, named: onnx.ModelProto) -> onnx.ModelProto:
        from onnxruntime.quantization import (  # noqa: PLC0415 - not paid by a cached run
            matmul_nbits_quantizer as blocks,
        )
        from onnxruntime.quantization.onnx_model import ONNXModel  # noqa: PLC0415 - the same

        products: Any = ONNXModel(named)
        kept = [node.name for node in named.graph.node if not self._takes(node)]
        products.replace_gemm_with_matmul()  # which names their products after them
        work = blocks.MatMulNBitsQuantizer(
            products.model,
            nodes_to_exclude=[*kept, *(f"{name}_MatMul" for name in kept)],
            algo_config=blocks.DefaultWeightOnlyQuantConfig(
                block_size=self.block_size,
                is_symmetric=self.symmetric,
                accuracy_level=_INT8_KERNEL,
                bits=self.bits,
            ),
        )
        work.process()
        blocked: onnx.ModelProto = work.model.model
        return blocked

    def _takes(self, node: onnx.NodeProto) -> bool:
        outputs = set(node.output)
        return (
            node.op_type in PRODUCTS
            and not outputs & set(self.exclude)
            and (not self.layers or bool(outputs & set(self.layers)))
        )
