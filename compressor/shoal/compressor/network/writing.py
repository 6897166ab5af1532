"""Collect ONNX nodes and weights with the short names that keep small files small."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper

from shoal.compressor.network.node import Array


class Writer:
    """A graph in the making; layers add their nodes in the order they run.

    Equal shapes and single numbers are stored once, and so is a weight that several steps share;
    other equal weights are not, as quantizers give each its own scale.
    """

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self._names = 0
        self._parameters: dict[int, tuple[torch.nn.Parameter, str]] = {}
        self._stored: dict[tuple[str, tuple[int, ...], bytes], str] = {}

    def name(self, prefix: str) -> str:
        """A name that nothing else in the graph has."""
        self._names += 1
        return f"{prefix}{self._names}"

    def add(
        self, operator: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any
    ) -> None:
        """One node; attributes that are None are left out."""
        given = {name: value for name, value in attributes.items() if value is not None}
        name = self.name("n")
        self.nodes.append(helper.make_node(operator, inputs, outputs, name=name, **given))

    def via(self, operator: str, inputs: Sequence[str], **attributes: Any) -> str:
        """One node whose answer goes on under a new name, which is returned."""
        between = self.name("t")
        self.add(operator, inputs, [between], **attributes)
        return between

    def weight(self, value: torch.Tensor | Array) -> str:
        """Store a tensor and return its name."""
        if isinstance(value, torch.nn.Parameter):
            if id(value) not in self._parameters:
                self._parameters[id(value)] = (value, self._store(value.detach().numpy()))
            return self._parameters[id(value)][1]
        held = value.detach().numpy() if isinstance(value, torch.Tensor) else value
        array = np.asarray(held)
        if array.ndim == 0 or array.dtype == np.int64:
            key = (array.dtype.str, array.shape, array.tobytes())
            if key not in self._stored:
                self._stored[key] = self._store(array)
            return self._stored[key]
        return self._store(array)

    def _store(self, array: Array) -> str:
        name = self.name("w")
        # Not ascontiguousarray, which makes a vector of a single number.
        self.weights.append(numpy_helper.from_array(np.asarray(array, order="C"), name))
        return name

    def integers(self, values: Sequence[int]) -> str:
        """Store a vector of int64 and return its name."""
        return self.weight(np.array(list(values), np.int64))
