"""Which numbers are one channel: followed through the network, step by step.

Every layer with weights makes channels along one axis; what follows keeps, joins, repeats or reads
them. Channels that have to go together (two branches of a sum, a batch norm and its convolution,
the inputs of what reads them) are joined as they are found, so what is left are the coupling groups
of DepGraph (Fang et al., CVPR 2023, arXiv:2301.12900). The graph is known here, axes included, so
nothing is guessed from gradients: sequences, attention and convolutions along one axis are followed
as images are. A channel that something depends on by its number or order is fixed.
"""

import enum
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch import nn

Ids = npt.NDArray[np.int64]
Shape = tuple[int, ...]


class Side(enum.Enum):
    """How a layer meets channels."""

    MAKES = enum.auto()
    READS = enum.auto()
    KEEPS = enum.auto()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Use:
    """A layer's channels in order. `constant` and `axis` name the part of a layer of ours."""

    label: str
    layer: nn.Module
    side: Side
    channels: Ids
    constant: str = ""
    axis: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Along:
    """The channels along one axis of a value."""

    axis: int
    channels: Ids


class Ledger:
    """Channels, which of them are one, which are fixed, and who uses them."""

    def __init__(self) -> None:
        self._joined: list[int] = []
        self._fixed: set[int] = set()
        self.uses: list[Use] = []

    def new(self, count: int, *, fixed: bool = False) -> Ids:
        """Channels that nobody has used yet."""
        first = len(self._joined)
        ids = np.arange(first, first + count)
        self._joined.extend(ids.tolist())
        if fixed:
            self._fixed.update(ids.tolist())
        return ids

    def fix(self, along: Along | None) -> None:
        """These channels have to stay."""
        if along is not None:
            self._fixed.update(along.channels.tolist())

    def join(self, first: Ids, second: Ids) -> None:
        """Each of the first is the one of the second at its place."""
        for one, other in zip(first.tolist(), second.tolist(), strict=True):
            low, high = sorted((self.root(one), self.root(other)))
            self._joined[high] = low

    def root(self, channel: int) -> int:
        """The channel that stands for all which are joined with this one."""
        while self._joined[channel] != channel:
            self._joined[channel] = self._joined[self._joined[channel]]
            channel = self._joined[channel]
        return channel

    def roots(self, channels: Ids) -> Ids:
        """The same for many."""
        return np.array([self.root(channel) for channel in channels.tolist()], np.int64)

    def free(self) -> set[int]:
        """The roots of the channels that may go."""
        fixed = {self.root(channel) for channel in self._fixed}
        return {self.root(channel) for channel in range(len(self._joined))} - fixed


@dataclass(frozen=True, slots=True, kw_only=True)
class Meeting:
    """A step that meets channels: what comes in, of which shape, and what shapes come out."""

    label: str
    layer: nn.Module
    along: Sequence[Along | None]
    shapes: Sequence[Shape]
    results: Sequence[Shape]

    @property
    def first(self) -> Along | None:
        """The channels of the first input."""
        return self.along[0]

    def use(self, side: Side, along: Along, constant: str = "", axis: int = 0) -> Use:
        """The layer's use of some channels."""
        return Use(
            label=self.label,
            layer=self.layer,
            side=side,
            channels=along.channels,
            constant=constant,
            axis=axis,
        )
