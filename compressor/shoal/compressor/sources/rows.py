"""Rows of data: what `*.npz` files hold, checked against the model's signature (contracts: 3)."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Indices = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """Inputs by graph name with the row axis first, constants fed with every row, labels.

    `whole` names the inputs whose row is fed as it is; of the others a row keeps a first axis of 1.
    """

    inputs: Mapping[str, Array]
    constants: Mapping[str, Array]
    labels: Array | None
    count: int
    whole: frozenset[str]

    def feed(self, row: int) -> dict[str, Array]:
        """What one inference gets: row `row`, batch 1, and the constants."""
        fed = {
            name: array[row] if name in self.whole else array[row : row + 1]
            for name, array in self.inputs.items()
        }
        return {name: np.asarray(array) for name, array in (fed | dict(self.constants)).items()}

    def take(self, rows: Indices) -> "Rows":
        """These rows alone, in this order."""
        return Rows(
            inputs={name: np.ascontiguousarray(array[rows]) for name, array in self.inputs.items()},
            constants=self.constants,
            labels=None if self.labels is None else self.labels[rows],
            count=len(rows),
            whole=self.whole,
        )

    def row_keys(self) -> list[bytes]:
        """One key a row, equal for equal inputs: what tells whether two sets share a row."""
        names = sorted(self.inputs)
        keys = []
        for row in range(self.count):
            state = hashlib.blake2b(digest_size=16)
            for name in names:
                state.update(np.ascontiguousarray(self.inputs[name][row]).tobytes())
            keys.append(state.digest())
        return keys

    def fingerprint(self) -> str:
        """A key of everything here, for caches."""
        state = hashlib.sha256()
        for part in (
            self.inputs,
            self.constants,
            {} if self.labels is None else {"y": self.labels},
        ):
            for name in sorted(part):
                array = np.ascontiguousarray(part[name])
                state.update(f"{name} {array.dtype} {array.shape};".encode())
                state.update(array.tobytes())
        return state.hexdigest()
