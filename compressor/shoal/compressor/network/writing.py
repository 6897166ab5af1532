"""Collect ONNX nodes and weights with the short names that keep small files small."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper


class Writer:
    """A graph in the making; layers add their nodes in the order they run."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self._names = 0

    def name(self, prefix: str) -> str:
        """A name that nothing else in the graph has."""
        self._names += 1
        return f"{prefix}{self._names}"

    def add(self, operator: str, inputs: Sequence[str], output: str, **attributes: Any) -> None:
        """One node; attributes that are None are left out."""
        given = {name: value for name, value in attributes.items() if value is not None}
        name = self.name("n")
        self.nodes.append(helper.make_node(operator, inputs, [output], name=name, **given))

    def weight(self, value: torch.Tensor) -> str:
        """Store a tensor and return its name."""
        name = self.name("w")
        array = np.ascontiguousarray(value.detach().numpy())
        self.weights.append(numpy_helper.from_array(array, name))
        return name

    def integers(self, values: Sequence[int]) -> str:
        """Store a vector of int64 and return its name."""
        return self.weight(torch.tensor(list(values), dtype=torch.int64))
