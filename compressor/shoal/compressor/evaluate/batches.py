"""Answers in batches, only where a batch is seen to answer bit for bit as its rows do alone.

Dynamic quantization takes one range for a whole batch, and some kernels sum in another order, so
that a batch answers otherwise than a device that is asked row by row. Convolutional nets mostly do
not mind. The first batches are checked whole, of every later one a row.
"""

import time
from typing import Any, Final

import numpy as np

from shoal.compressor.sources.rows import Array, Rows

_SIZE: Final = 32
_CHECKED: Final = 2  # batches of which every row is checked
_WORTH_ROWS: Final = 8 * _SIZE
_WORTH_S: Final = 0.001  # a slower row gains nothing from company
_BATCH_BYTES: Final = 1 << 20  # of inputs: activations of a batch grow with them


def answers(session: Any, rows: Rows, output: str) -> Array | None:
    """The answering output of every row, (rows, …); None where rows must go one by one."""
    if rows.states or rows.whole or rows.count < _WORTH_ROWS:
        return None
    if sum(array[:_SIZE].nbytes for array in rows.inputs.values()) > _BATCH_BYTES:
        return None
    try:
        return _answers(session, rows, output)
    except Exception:  # noqa: BLE001 - a fixed batch, an engine of rows: each has its own exception
        return None


def _answers(session: Any, rows: Rows, output: str) -> Array | None:
    def run(first: int, size: int) -> Array:
        feed = {name: array[first : first + size] for name, array in rows.inputs.items()}
        return np.asarray(session.run([output], {**feed, **rows.constants})[0])

    run(0, 1)
    start = time.perf_counter()
    run(0, 1)
    if time.perf_counter() - start > _WORTH_S:
        return None
    collected = []
    whole = rows.count - rows.count % _SIZE
    for place, first in enumerate(range(0, whole, _SIZE)):
        batch = run(first, _SIZE)
        checked = range(_SIZE) if place < _CHECKED else [place % _SIZE]
        if not all(np.array_equal(batch[i : i + 1], run(first + i, 1)) for i in checked):
            return None
        collected.append(batch)
    collected += [run(row, 1) for row in range(whole, rows.count)]
    return np.concatenate(collected)
