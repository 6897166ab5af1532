"""What a model takes and gives: names, element types and shapes."""

import difflib
from dataclasses import dataclass
from typing import Final

from shoal.compressor import errors
from shoal.contract.reason import Reason

ELEMENTS: Final = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(int8)": "int8",
    "tensor(int16)": "int16",
    "tensor(int32)": "int32",
    "tensor(int64)": "int64",
    "tensor(uint8)": "uint8",
    "tensor(uint16)": "uint16",
    "tensor(uint32)": "uint32",
    "tensor(uint64)": "uint64",
    "tensor(bool)": "bool",
}
_CLASSES_AT_MOST: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """One input or output. `dtype` is numpy's name, "" for what is no dense tensor.

    `shape` holds None for a symbolic dimension.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...]

    @property
    def is_float(self) -> bool:
        """Whether its elements are floating numbers."""
        return self.dtype.startswith("float")

    @property
    def is_integer(self) -> bool:
        """Whether its elements are integers."""
        return "int" in self.dtype


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """A model's inputs (without overridable weights) and outputs, in order."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


def answering(signature: Signature, asked: str | None) -> Tensor:
    """The output that the metric reads (contracts: section 3).

    `asked` by name; else an integer vector of labels if there is one; else the first floating one.

    Raises:
        InvalidError: no output of that name, or none that could answer.
    """
    if asked is not None:
        for output in signature.outputs:
            if output.name == asked and output.dtype:
                return output
        names = [o.name for o in signature.outputs]
        near = difflib.get_close_matches(asked, names, n=1)
        raise errors.invalid(
            Reason.INVALID,
            f"the model has no output tensor {asked!r}",
            field="--model-output",
            hint=(f"did you mean {near[0]!r}? " if near else "")
            + f"its outputs are: {', '.join(names)}",
        )
    for output in signature.outputs:
        if output.is_integer and len(output.shape) == 1:
            return output
    for output in signature.outputs:
        if output.is_float:
            return output
    raise errors.invalid(
        Reason.INVALID,
        "the model has neither an integer vector of labels nor a floating output",
        field="MODEL",
        hint="name the output to score with --model-output",
    )


def classifies(output: Tensor) -> bool:
    """Whether the answering output looks like a choice among classes, for the default metric.

    A vector of labels, one score a row, or a row of at most 100 scores; a longer row is rather an
    embedding.
    """
    if output.is_integer:
        return True
    if len(output.shape) == 1:
        return True
    last = output.shape[-1] if output.shape else 1
    return len(output.shape) == 2 and last is not None and last <= _CLASSES_AT_MOST
