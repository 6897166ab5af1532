"""A precision for each layer, in one pass: what measurement calls sensitive gets finer numbers.

Tables in int8 rows, most products in dynamic int8 (the fastest), the sensitive ones in weight
blocks (four times as exact, slower), the worst in float. It is one pass because layers are named by
their outputs, and a graph's inner names are written anew after each pass.
"""

import enum
from dataclasses import dataclass, field
from typing import Literal

import onnx

from shoal.compressor.passes.protocol import PassContext, PassError, PassResult
from shoal.compressor.passes.quantize import DynamicInt8
from shoal.compressor.passes.quantize_blocks import WeightBlocks
from shoal.compressor.passes.quantize_rows import in_rows, tables
from shoal.compressor.rejections import Rejection


class Products(enum.StrEnum):
    """What becomes of the MatMul and Gemm that nothing else is said of."""

    DYNAMIC = "dynamic"
    BLOCKS = "blocks"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixed:
    """Tables in rows, `products` for most; `blocks` name layers for blocks, `keep` for float.

    Layers are named by their outputs. `per_channel` and `reduce_range` are those of dynamic int8.
    """

    method: Literal["quantize"] = field(default="quantize", init=False)
    scheme: Literal["mixed"] = field(default="mixed", init=False)
    products: Products = Products.DYNAMIC
    blocks: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    bits: int = 8
    block_size: int = 128
    per_channel: bool = True
    reduce_range: bool = False

    def apply(self, model: onnx.ModelProto, context: PassContext) -> PassResult:
        """The mixed model; its notes tell the layers of each kind.

        Raises:
            PassError: UnsupportedOperator, nothing here can be stored in fewer bits.
        """
        names = tables(model)
        mixed = in_rows(model, names) if names else model
        done = bool(names)
        for one in self._passes():
            try:
                mixed = one.apply(mixed, context).model
                done = True
            except PassError as error:
                if error.reason is not Rejection.UNSUPPORTED_OPERATOR:
                    raise
        if not done:
            raise PassError(
                Rejection.UNSUPPORTED_OPERATOR, "the graph has neither tables nor products"
            )
        notes = {
            "tables": len(names),
            "in_blocks": list(self.blocks),
            "kept_float": list(self.keep),
        }
        return PassResult(model=mixed, notes=notes)

    def _passes(self) -> tuple[WeightBlocks | DynamicInt8, ...]:
        blocks = WeightBlocks(bits=self.bits, block_size=self.block_size, exclude=self.keep)
        if self.products is Products.BLOCKS:
            return (blocks,)
        dynamic = DynamicInt8(
            per_channel=self.per_channel,
            reduce_range=self.reduce_range,
            exclude=(*self.blocks, *self.keep),
        )
        named = WeightBlocks(
            bits=self.bits, block_size=self.block_size, layers=self.blocks, exclude=self.keep
        )
        return (named, dynamic) if self.blocks else (dynamic,)
