"""Rows of data: what `*.npz` files hold, checked against the model's signature (contracts: 3)."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Indices = npt.NDArray[np.intp]
Marks = npt.NDArray[np.bool_]

_CHUNK_BYTES: Final = 64 * 1024 * 1024  # of rows hashed at a time


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class State:
    """A state of a recurrent model: input `into` starts at `zero`, then gets output `out`."""

    into: str
    out: str
    zero: Array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """Inputs by graph name with the row axis first, constants fed with every row, labels.

    `whole` names the inputs whose row is fed as it is; of the others a row keeps a first axis of 1.
    With `states` rows are steps of streams: `starts` says which row begins one, and the inputs hold
    the states as the source had them, once these are recorded. With `pairs` rows 2i and 2i+1 belong
    to label i.
    """

    inputs: Mapping[str, Array]
    constants: Mapping[str, Array]
    labels: Array | None
    count: int
    whole: frozenset[str]
    states: Sequence[State] = ()
    starts: Marks | None = None
    pairs: bool = False

    def feed(self, row: int) -> dict[str, Array]:
        """What one inference gets: row `row`, batch 1, and the constants."""
        fed = {
            name: array[row] if name in self.whole else array[row : row + 1]
            for name, array in self.inputs.items()
        }
        return {name: np.asarray(array) for name, array in (fed | dict(self.constants)).items()}

    @property
    def typical(self) -> int:
        """The row to time and weigh: of a stream one well inside, whose state is a real one."""
        return self.count // 2 if self.states else 0

    def take(self, rows: Indices) -> "Rows":
        """These rows alone, in this order; of pairs, both rows together.

        A step whose predecessor is not taken begins a stream.
        """
        starts = None
        if self.starts is not None:
            follows = np.concatenate([[False], np.diff(rows) == 1])
            starts = self.starts[rows] | ~follows
        labelled = rows[0::2] // 2 if self.pairs else rows
        return replace(
            self,
            inputs={name: np.ascontiguousarray(array[rows]) for name, array in self.inputs.items()},
            labels=None if self.labels is None else self.labels[labelled],
            count=len(rows),
            starts=starts,
        )

    def with_states(self, recorded: Mapping[str, Array]) -> "Rows":
        """The same steps, with every state as an input array: what the source had before each."""
        whole = {
            state.into for state in self.states if recorded[state.into].ndim == state.zero.ndim + 1
        }
        return replace(self, inputs={**self.inputs, **recorded}, whole=self.whole | whole)

    def alone(self) -> "Rows":
        """The same rows as ordinary ones: each is fed by itself, whatever came before it."""
        labels = None if self.pairs else self.labels
        return replace(self, states=(), starts=None, pairs=False, labels=labels)

    def name_of(self, row: int) -> str:
        """How a message calls a row, by its place in the file."""
        return f"row {row // 2} ({'ab'[row % 2]})" if self.pairs else f"row {row}"

    def row_keys(self) -> list[bytes]:
        """One key a row, equal for equal inputs: what tells whether two sets share a row."""
        parts = [
            np.ascontiguousarray(self.inputs[name]).reshape(self.count, -1)
            for name in sorted(self.inputs)
        ]
        width = sum(part.shape[1] * part.itemsize for part in parts)
        step = max(_CHUNK_BYTES // max(width, 1), 1)
        keys: list[bytes] = []
        for first in range(0, self.count, step):
            chunk = [part[first : first + step].view(np.uint8) for part in parts]
            block = memoryview(np.hstack(chunk).tobytes())
            keys += [
                hashlib.blake2b(block[at : at + width], digest_size=16).digest()
                for at in range(0, len(block), width)
            ]
        return keys

    def fingerprint(self) -> str:
        """A key of everything here, for caches."""
        state = hashlib.sha256()
        marks = {} if self.starts is None else {"starts": self.starts}
        for part in (
            self.inputs,
            self.constants,
            {} if self.labels is None else {"y": self.labels},
            marks,
        ):
            for name in sorted(part):
                array = np.ascontiguousarray(part[name])
                state.update(f"{name} {array.dtype} {array.shape};".encode())
                state.update(array.reshape(-1).view(np.uint8).data)
        state.update(repr([(one.into, one.out) for one in self.states]).encode())
        state.update(b"pairs" if self.pairs else b"")
        return state.hexdigest()
