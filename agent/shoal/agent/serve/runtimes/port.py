"""The port that every kind of variant is run through."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Feeds = Mapping[str, Array]


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorSpec:
    """Name, element type and shape of one input or output; -1 is a dimension of any size."""

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    def admits(self, shape: Sequence[int]) -> bool:
        """Whether a tensor of this shape fits."""
        return len(shape) == len(self.shape) and all(
            want in {-1, have} for want, have in zip(self.shape, shape, strict=True)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOptions:
    """How to run a model: providers in order of preference, threads of one inference, output.

    `output` names the answering output; empty chooses it (see `Session.answering`).
    """

    providers: tuple[str, ...] = ("CPUExecutionProvider",)
    threads: int = 1
    output: str = ""


class Runtime(Protocol):
    """A model in memory. Its methods may be called from several threads at once."""

    @property
    def platform(self) -> str:
        """What kind of model it is, as the protocol's metadata names it: runtime_format."""
        ...

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """Every input."""
        ...

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """Every output that can be served."""
        ...

    def run(self, feeds: Feeds, outputs: Sequence[str]) -> list[Array]:
        """One inference; the named outputs in order."""
        ...

    def run_rows(self, rows: Sequence[Feeds], outputs: Sequence[str]) -> list[list[Array]]:
        """An inference for each of the rows, as each alone is answered."""
        ...
