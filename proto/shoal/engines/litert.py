"""Runs `.tflite` files in LiteRT, on XNNPACK's kernels, as onnxruntime's sessions are run.

A file takes and gives what its ONNX graph does. The names are those of its signature, or of its
tensors where it has none. Edges of 8 bits that carry a scale are float outside: numbers are
quantized on the way in and dequantized on the way out.
"""

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert.interpreter import Interpreter

Array = npt.NDArray[Any]
Inward = Callable[[Array], Array]


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """One input or output: where its tensor lies, and its scale where it is quantized."""

    name: str
    index: int
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    scale: float
    zero_point: int

    @property
    def outside(self) -> np.dtype[Any]:
        """The type of the numbers as the model's user gives and gets them."""
        return np.dtype(np.float32) if self.scale else self.dtype

    def inward(self) -> Inward:
        """A function from the numbers to what the tensor holds; its result is used up at once."""
        if not self.scale:
            return _as_it_is
        steps, stored = np.empty(self.shape, np.float32), np.empty(self.shape, self.dtype)
        scale, zero_point = np.float32(self.scale), np.float32(self.zero_point)
        limits = np.iinfo(self.dtype)
        least, most = np.float32(limits.min), np.float32(limits.max)

        def quantized(array: Array) -> Array:
            if array.shape != self.shape:
                raise ValueError(f"{self.name!r} has shape {array.shape}, not {self.shape}")
            np.divide(array, scale, out=steps)
            np.rint(steps, out=steps)
            np.add(steps, zero_point, out=steps)
            np.maximum(steps, least, out=steps)
            np.minimum(steps, most, out=steps)
            np.copyto(stored, steps, casting="unsafe")
            return stored

        return quantized

    def outward(self, array: Array) -> Array:
        """The numbers as the model's user sees them."""
        if not self.scale:
            return array
        return (array.astype(np.float32) - np.float32(self.zero_point)) * np.float32(self.scale)


def _as_it_is(array: Array) -> Array:
    return array


class LiteRunner:
    """One loaded file; what can be looked up is looked up once, so that a run is three calls."""

    def __init__(self, interpreter: Interpreter) -> None:
        self._interpreter = interpreter
        self._set: Callable[[int, Array], None] = interpreter.set_tensor
        self._invoke: Callable[[], None] = interpreter.invoke
        self._get: Callable[[int], Array] = interpreter.get_tensor
        self.inputs, self.outputs = ports(interpreter)
        self._inward = [(port.name, port.index, port.inward()) for port in self.inputs]
        self._named = {port.name: port for port in self.outputs}

    def run(self, outputs: Sequence[str] | None, feed: Mapping[str, Array]) -> list[Array]:
        """The named outputs, all where None.

        Raises:
            KeyError: an input is missing from the feed, or there is no such output.
            ValueError: an array has another shape or type than the file's.
        """
        for name, index, inward in self._inward:
            self._set(index, inward(feed[name]))
        self._invoke()
        asked = self.outputs if outputs is None else [self._named[name] for name in outputs]
        return [port.outward(self._get(port.index)) for port in asked]


def open_tflite(path: Path, threads: int) -> LiteRunner:
    """A fresh runner over the file at `path`; raises what LiteRT does."""
    interpreter = Interpreter(model_path=str(path), num_threads=threads)
    interpreter.allocate_tensors()
    return LiteRunner(interpreter)


def ports(interpreter: Interpreter) -> tuple[tuple[Port, ...], tuple[Port, ...]]:
    """The inputs and outputs of a file, in the file's order."""
    named: dict[int, str] = {}
    keys = list(interpreter.get_signature_list())
    if keys:
        signature = interpreter.get_signature_runner(keys[0])
        details = (signature.get_input_details(), signature.get_output_details())
        named = {detail["index"]: name for side in details for name, detail in side.items()}
    sides = (interpreter.get_input_details(), interpreter.get_output_details())
    inputs, outputs = (tuple(_port(detail, named) for detail in side) for side in sides)
    return inputs, outputs


def _port(detail: Mapping[str, Any], named: Mapping[int, str]) -> Port:
    scale, zero_point = detail["quantization"]
    return Port(
        name=named.get(detail["index"], detail["name"]),
        index=detail["index"],
        dtype=np.dtype(detail["dtype"]),
        shape=tuple(int(size) for size in detail["shape"]),
        scale=float(scale),
        zero_point=int(zero_point),
    )


@contextmanager
def quiet() -> Iterator[None]:
    """Keeps the line that LiteRT writes about its delegate, past Python, off stderr."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
