"""A precision for each layer, in one pass: what measurement calls sensitive gets finer numbers.

Tables in int8 rows (or 4-bit blocks), most products in dynamic int8 (the fastest) or weight blocks,
the sensitive ones in blocks of more bits, the worst in float. It is one pass because layers are
named by their outputs, and a graph's inner names are written anew after each pass.
"""

import enum
from dataclasses import dataclass, field
from typing import Any, Literal

import onnx

from shoal.compressor.passes.protocol import PassContext, PassError, PassResult
from shoal.compressor.passes.quantize import DynamicInt8
from shoal.compressor.passes.quantize_blocks import WeightBlocks
from shoal.compressor.passes.quantize_rows import EmbeddingRows
from shoal.compressor.passes.quantize_smooth import smoothed
from shoal.compressor.rejections import Rejection


class Store(enum.StrEnum):
    """How layers are stored: dynamic int8, or weight blocks of 8 or 4 bits."""

    DYNAMIC = "dynamic"
    BLOCKS8 = "blocks8"
    BLOCKS4 = "blocks4"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixed:
    """Tables in rows of `table_bits`; `most` layers as it says, but for those named in a list.

    Layers are named by their outputs: `blocks8` and `blocks4` get blocks of so many bits, `keep`
    stays in float. `per_channel` and `reduce_range` are those of dynamic int8; with `smooth` the
    outliers of what it reads are moved into its weights first.
    """

    method: Literal["quantize"] = field(default="quantize", init=False)
    scheme: Literal["mixed"] = field(default="mixed", init=False)
    most: Store = Store.DYNAMIC
    table_bits: int = 8
    blocks8: tuple[str, ...] = ()
    blocks4: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    per_channel: bool = True
    reduce_range: bool = False
    smooth: bool = False

    def apply(self, model: onnx.ModelProto, context: PassContext) -> PassResult:
        """The mixed model; its notes tell the layers of each kind.

        Raises:
            PassError: UnsupportedOperator, nothing here can be stored in fewer bits.
        """
        mixed, notes = model, dict[str, Any](kept_float=list(self.keep))
        if self.smooth:
            found = smoothed(model, (*self.blocks8, *self.blocks4, *self.keep), context)
            mixed, notes["smoothed"] = found.model, dict(found.strengths)
        for kind, one in self._passes().items():
            try:
                result = one.apply(mixed, context)
            except PassError as error:
                if error.reason is not Rejection.UNSUPPORTED_OPERATOR:
                    raise
                continue
            mixed, notes[kind] = result.model, dict(result.notes)
        if notes.keys() <= {"kept_float", "smoothed"}:
            raise PassError(
                Rejection.UNSUPPORTED_OPERATOR, "the graph has neither tables nor products"
            )
        return PassResult(model=mixed, notes=notes)

    def _passes(self) -> dict[str, EmbeddingRows | WeightBlocks | DynamicInt8]:
        """What is done for each kind, in order; a kind without layers is left out."""
        named = {Store.BLOCKS8: self.blocks8, Store.BLOCKS4: self.blocks4}
        apart = (*self.blocks8, *self.blocks4, *self.keep)
        passes: dict[str, EmbeddingRows | WeightBlocks | DynamicInt8] = {
            "tables": EmbeddingRows(bits=self.table_bits)
        }
        passes |= {store.value: _blocks(store, n, ()) for store, n in named.items() if n}
        if self.most is Store.DYNAMIC:
            passes["most"] = DynamicInt8(
                per_channel=self.per_channel, reduce_range=self.reduce_range, exclude=apart
            )
        else:
            passes["most"] = _blocks(self.most, (), apart)
        return passes


def _blocks(store: Store, layers: tuple[str, ...], exclude: tuple[str, ...]) -> WeightBlocks:
    """Blocks of 8 bits are exact enough at 128 values; 4 bits want a scale and a zero each 32."""
    eight = store is Store.BLOCKS8
    return WeightBlocks(
        bits=8 if eight else 4,
        block_size=128 if eight else 32,
        symmetric=eight,
        layers=layers,
        exclude=exclude,
    )
