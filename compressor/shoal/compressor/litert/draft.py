"""Both layouts of every value of a graph while it is written for LiteRT.

ONNX keeps channels first, LiteRT last. A value of four dimensions may exist in its ONNX layout
(`plain`), with channels last (`last`), or both: an operator asks for the layout it works in, and a
transpose is written only where the other layout is what exists. So transposes end up at the edges
of the graph, and where they would move nothing they are reshapes.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from onnx import TensorProto

from shoal.compressor.litert.assembly import ACTIVATION, Assembly
from shoal.compressor.litert.graph import Graph, Node, refusal
from shoal.compressor.passes.protocol import Array

TO_LAST: Final = (0, 2, 3, 1)
TO_FIRST: Final = (0, 3, 1, 2)
_CLIPS: Final = {(0.0, 6.0): ACTIVATION.RELU6, (-1.0, 1.0): ACTIVATION.RELU_N1_TO_1}


class Draft:
    """One graph under way; `done` holds nodes that an earlier one has taken in."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.done: set[int] = set()
        self.assembly = Assembly()
        self._plain: dict[str, int] = {}
        self._last: dict[str, int] = {}
        self._flattened: dict[str, str] = {}
        self._fused: dict[str, str] = {}
        for name in graph.inputs:
            self._plain[name] = self.tensor(name, self.shape(name))

    # -- values

    def shape(self, name: str) -> tuple[int, ...]:
        """The ONNX shape of a value."""
        if name not in self.graph.shapes:
            raise refusal(f"the shape of {name!r} is not known before the graph runs")
        return self.graph.shapes[name]

    def stored(self, name: str, what: str) -> Array:
        """The stored array `name`, which is needed when the file is written."""
        if name not in self.graph.constants:
            raise refusal(f"{what} is computed by the graph, and LiteRT needs it stored")
        return self.graph.constants[name]

    def is_stored(self, name: str) -> bool:
        """Whether a value is stored in the file."""
        return name in self.graph.constants

    def prefers_last(self, name: str) -> bool:
        """Whether a value exists with channels last."""
        return name in self._last

    def plain(self, name: str) -> int:
        """The tensor of a value in its ONNX layout."""
        if name not in self._plain:
            if self.is_stored(name):
                self._plain[name] = self.constant(self.graph.constants[name])
            elif name in self._flattened:
                source = self.plain(self._flattened[name])
                self._plain[name] = self.reshaped(source, self.shape(name), name)
            else:
                shape = self.shape(name)
                self._plain[name] = self._moved(self._last[name], TO_FIRST, shape, name)
        return self._plain[name]

    def last(self, name: str) -> int:
        """The tensor of a value of four dimensions with channels last."""
        if name not in self._last:
            if self.is_stored(name):
                array = self.graph.constants[name]
                wide = array.reshape((1,) * (4 - array.ndim) + array.shape)
                self._last[name] = self.constant(wide.transpose(TO_LAST))
            else:
                shape = self.last_shape(name)
                self._last[name] = self._moved(self.plain(name), TO_LAST, shape, name)
        return self._last[name]

    def last_shape(self, name: str) -> tuple[int, ...]:
        """The shape of a value with channels last."""
        n, c, h, w = self.shape(name)
        return n, h, w, c

    def flat(self, name: str) -> tuple[int, tuple[int, ...]] | None:
        """A flattened value as channels last lie in memory, and (C, H, W) to permute weights by."""
        source = self._flattened.get(name)
        if source is None or name in self._plain:
            return None
        tensor = self.reshaped(self.last(source), self.shape(name), name)
        return tensor, self.shape(source)[1:]

    def set_flattened(self, name: str, source: str) -> None:
        """Notes that `name` is `source` in two dimensions, for whoever reads it first to write."""
        self._flattened[name] = source

    def alias_plain(self, name: str, tensor: int) -> None:
        """`name` in its ONNX layout is this tensor."""
        self._plain[name] = tensor

    def alias_last(self, name: str, tensor: int) -> None:
        """`name` with channels last is this tensor."""
        self._last[name] = tensor

    def alias(self, name: str, source: str) -> None:
        """`name` is `source`, in every layout that exists."""
        if source in self._flattened and source not in self._plain:
            self._flattened[name] = self._flattened[source]
            return
        if source in self._last:
            self._last[name] = self._last[source]
        else:
            self._plain[name] = self.plain(source)

    # -- operators

    def activation(self, node: Node) -> tuple[int, str]:
        """The activation that the only reader of `node` is, and the name its result goes by."""
        name = node.outputs[0]
        readers = self.graph.readers(name)
        if len(readers) != 1 or name in self.graph.outputs or readers[0].inputs[0] != name:
            return ACTIVATION.NONE, name
        code = self.clip(readers[0])
        if code is None:
            return ACTIVATION.NONE, name
        self.done.add(readers[0].index)
        self._fused[name] = readers[0].outputs[0]
        return code, readers[0].outputs[0]

    def clip(self, node: Node) -> int | None:
        """The code of a node that is one of LiteRT's own activations."""
        if node.kind == "Relu":
            return int(ACTIVATION.RELU)
        if node.kind != "Clip":
            return None
        bounds = self.bounds(node)
        if bounds[0] == 0.0 and bounds[1] == np.inf:
            return int(ACTIVATION.RELU)
        return _CLIPS.get(bounds)

    def bounds(self, node: Node) -> tuple[float, float]:
        """The least and greatest value that a Clip lets through."""
        found = []
        for place, key, default in ((1, "min", -np.inf), (2, "max", np.inf)):
            name = node.input(place)
            if name:
                found.append(float(self.stored(name, "a bound of Clip").item()))
            else:
                found.append(float(node.attributes.get(key, default)))
        low, high = found
        return low, high if high < np.finfo(np.float32).max else np.inf

    def put(self, kind: str, inputs: Sequence[int], name: str, **options: Any) -> None:
        """An operator on plain tensors that makes the value `name`."""
        tensor = self.tensor(name, self.shape(name))
        self.assembly.operator(kind, inputs, [tensor], options)
        self._plain[name] = tensor

    def put_last(self, kind: str, inputs: Sequence[int], name: str, **options: Any) -> None:
        """An operator on tensors with channels last that makes the value `name`."""
        tensor = self.tensor(name, self.last_shape(name))
        self.assembly.operator(kind, inputs, [tensor], options)
        self._last[name] = tensor

    def inner(self, kind: str, inputs: Sequence[int], shape: Sequence[int], **options: Any) -> int:
        """The tensor of a step inside what is one operator in ONNX."""
        tensor = self.assembly.tensor("s", shape, TensorProto.FLOAT)
        self.assembly.operator(kind, inputs, [tensor], options)
        return tensor

    def tensor(self, name: str, shape: Sequence[int]) -> int:
        """A new tensor for the value `name`."""
        element = self.graph.dtypes.get(name, TensorProto.FLOAT)
        return self.assembly.tensor(name, shape, element)

    def constant(self, array: Array) -> int:
        """A stored tensor."""
        return self.assembly.constant(array)

    def integers(self, numbers: Sequence[int]) -> int:
        """A stored tensor of axes or sizes."""
        return self.constant(np.array(numbers, np.int32))

    def reshaped(self, tensor: int, shape: Sequence[int], name: str) -> int:
        """The same numbers as `name` in another shape."""
        made = self.tensor(name, shape)
        options = {"Options": "ReshapeOptions", "newShape": np.array(shape, np.int32)}
        self.assembly.operator("RESHAPE", [tensor, self.integers(shape)], [made], options)
        return made

    def finish(self) -> bytes:
        """The file, with the ONNX names of inputs and outputs in its signature."""
        inputs = {name: self._plain[name] for name in self.graph.inputs}
        outputs = {name: self._output(name) for name in self.graph.outputs}
        return self.assembly.finish(inputs, outputs)

    def tensor_names(self) -> dict[str, tuple[str, ...]]:
        """The tensors of every value, by ONNX name; of fused ones that of the fused operator."""
        found = {
            name: tuple(
                self.assembly.name(form[name])
                for form in (self._last, self._plain)
                if name in form and not self.is_stored(name)
            )
            for name in {**self._last, **self._plain}
        }
        return found | {name: found[whole] for name, whole in self._fused.items()}

    def _output(self, name: str) -> int:
        """An output is a tensor of its own: what is an input or stored is copied."""
        tensor = self.plain(name)
        taken = {self._plain[one] for one in self.graph.inputs}
        if tensor in taken or self.is_stored(name):
            return self.reshaped(tensor, self.shape(name), name)
        return tensor

    def _moved(self, tensor: int, perm: Sequence[int], shape: Sequence[int], name: str) -> int:
        """`tensor` in the other layout; (1, 8, 1, 1) and (1, 1, 1, 8) are the same in memory."""
        _, c, h, w = self.shape(name)
        if c == 1 or h * w == 1:
            return self.reshaped(tensor, shape, name)
        made = self.tensor(name, shape)
        options = {"Options": "TransposeOptions"}
        self.assembly.operator("TRANSPOSE", [tensor, self.integers(perm)], [made], options)
        return made
