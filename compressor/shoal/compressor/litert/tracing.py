"""What LiteRT computes inside a file: for naming the layer where a conversion goes wrong."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from shoal.compressor.passes.protocol import Array
from shoal.engines import litert


def open_traced(model: bytes) -> Interpreter:
    """An interpreter that keeps every value it computes."""
    with warnings.catch_warnings(), litert.quiet():
        warnings.simplefilter("ignore")  # that keeping all tensors is for debugging: so it is here
        interpreter = Interpreter(
            model_content=model,
            num_threads=1,
            experimental_op_resolver_type=OpResolverType.BUILTIN,
            experimental_preserve_all_tensors=True,
        )
        interpreter.allocate_tensors()
    return interpreter


def values(path: Path, feed: Mapping[str, Array], places: Sequence[int]) -> dict[int, Array]:
    """The values of the tensors at `places` for one row, dequantized."""
    interpreter = open_traced(path.read_bytes())
    litert.LiteRunner(interpreter).run([], feed)
    details = {detail["index"]: detail for detail in interpreter.get_tensor_details()}
    found = {}
    for place in places:
        value = np.asarray(interpreter.get_tensor(place))
        scale, zero_point = details[place]["quantization"]
        if scale:
            value = (value.astype(np.float32) - np.float32(zero_point)) * np.float32(scale)
        found[place] = value
    return found
