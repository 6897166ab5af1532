"""A `.tflite` graph as plain values, once every place and size in it is checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shoal.compressor.sources.rows import Array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scale:
    """real = (stored - zero_point) * scale, per entry of `axis` where there are several."""

    scale: Array
    zero_point: Array
    axis: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tensor:
    """`data` is None for what is computed. `dtype` is numpy's name; channels lie last."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    data: Array | None
    scale: Scale | None
    open_rows: bool

    @property
    def is_quantized(self) -> bool:
        """Whether it holds steps of a scale instead of the numbers themselves."""
        return self.scale is not None and self.dtype in {"int8", "uint8", "int16"}

    def numbers(self) -> Array:
        """The stored numbers themselves, dequantized."""
        if self.data is None:
            raise RuntimeError(f"{self.name!r} is not stored")
        if self.scale is None:
            return self.data
        shape = [1] * self.data.ndim
        if self.scale.scale.size > 1:
            shape[self.scale.axis] = self.scale.scale.size
        offset = self.data.astype("float32") - self.scale.zero_point.reshape(shape)
        numbers: Array = (offset * self.scale.scale.reshape(shape)).astype("float32")
        return numbers


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Operator:
    """`inputs` and `outputs` are places of tensors, -1 where an optional one is absent.

    `options` go by the schema's names, such as `strideH`.
    """

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Any]

    def input(self, place: int) -> int:
        """The place of an input tensor, -1 where it is absent."""
        return self.inputs[place] if place < len(self.inputs) else -1

    def option(self, name: str, default: int = 0) -> int:
        """A whole number among the options."""
        value = self.options.get(name)
        return default if value is None else int(value)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Graph:
    """`names` tells what the inputs and outputs are called outside, by place of their tensor."""

    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    names: Mapping[int, str]
