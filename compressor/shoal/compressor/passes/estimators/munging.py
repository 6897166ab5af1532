"""Invents rows of a table that look like the real ones.

MUNGE of Buciluă, Caruana and Niculescu-Mizil 2006, "Model Compression" (KDD): each row and its
nearest other row trade the values of some features; a traded number is drawn around the other's
with a spread of their distance, so that it is rarely the same. A feature with few values only
trades, so that no value appears which no row has.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

_FEW_VALUES: Final = 12
_BLOCK_ROWS: Final = 256


def munge(rows: Array, count: int, trade: float, generator: np.random.Generator) -> Array:
    """`count` invented rows; `trade` is the share of features that a row trades.

    Rows with one value everywhere, or a single row, come back as they are.
    """
    spread = rows.std(axis=0, dtype=np.float64)
    scale = np.where(spread > 0, spread, 1.0)
    near = _nearest((rows / scale).astype(np.float32))
    few = np.array([len(np.unique(column)) <= _FEW_VALUES for column in rows.T])
    made: list[Array] = []
    while sum(len(part) for part in made) < count:
        theirs = rows[near].astype(np.float64)
        drawn = theirs + generator.normal(size=rows.shape) * np.abs(rows - theirs)
        value = np.where(few, theirs, drawn)
        made.append(np.where(generator.random(rows.shape) < trade, value, rows))
    found: Array = np.concatenate(made)[:count].astype(rows.dtype)
    return found


def _nearest(rows: Array) -> npt.NDArray[np.int64]:
    """The place of each row's nearest other row."""
    squares = (rows**2).sum(axis=1)
    found = np.zeros(len(rows), np.int64)
    if len(rows) == 1:
        return found
    for start in range(0, len(rows), _BLOCK_ROWS):
        block = rows[start : start + _BLOCK_ROWS]
        distance = squares[None, :] - 2 * block @ rows.T
        distance[np.arange(len(block)), np.arange(start, start + len(block))] = np.inf
        found[start : start + len(block)] = distance.argmin(axis=1)
    return found
