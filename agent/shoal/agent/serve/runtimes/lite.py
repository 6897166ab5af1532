"""`.tflite` files in LiteRT."""

import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from shoal.agent.serve.errors import LoadError
from shoal.agent.serve.runtimes.port import Array, Feeds, SessionOptions, TensorSpec
from shoal.engines import litert
from shoal.engines.litert import Port


class LiteRuntime:
    """One interpreter, which runs one inference at a time.

    The shapes of a file are fixed, with rows one by one. Where every input and output begins with
    that 1, any number of rows is taken and run one after another: the graph that the file was made
    of took them too, and clients must not see which form of a model serves.
    """

    platform = "litert_tflite"

    def __init__(self, path: Path, options: SessionOptions) -> None:
        """Open the file at `path`.

        Raises:
            LoadError: see `files.opened`.
        """
        try:
            self._runner = litert.open_tflite(path, options.threads)
        except Exception as error:
            raise LoadError(f"LiteRT cannot load {path.name}: {error}") from error
        self._lock = threading.Lock()
        ports = (*self._runner.inputs, *self._runner.outputs)
        self._in_rows = all(one.shape[:1] == (1,) for one in ports)
        self.inputs = tuple(self._spec(one) for one in self._runner.inputs)
        self.outputs = tuple(self._spec(one) for one in self._runner.outputs)

    def run(self, feeds: Feeds, outputs: Sequence[str]) -> list[Array]:
        """See `Runtime.run`."""
        count = len(feeds[self.inputs[0].name]) if self._in_rows else 1
        with self._lock:
            if count == 1:
                return self._runner.run(outputs, feeds)
            if any(len(array) != count for array in feeds.values()):
                raise ValueError("the inputs differ in their number of rows")
            given = [
                self._runner.run(
                    outputs, {name: array[row : row + 1] for name, array in feeds.items()}
                )
                for row in range(count)
            ]
        known = {one.name: one for one in self.outputs}
        return [_joined(known[name], [row[i] for row in given]) for i, name in enumerate(outputs)]

    def run_rows(self, rows: Sequence[Feeds], outputs: Sequence[str]) -> list[list[Array]]:
        """See `Runtime.run_rows`."""
        return [self.run(feeds, outputs) for feeds in rows]

    def _spec(self, port: Port) -> TensorSpec:
        shape = (-1, *port.shape[1:]) if self._in_rows else port.shape
        return TensorSpec(name=port.name, dtype=port.outside, shape=shape)


def _joined(spec: TensorSpec, rows: Sequence[Array]) -> Array:
    """The rows as one array; of no rows, an empty one."""
    if rows:
        return np.concatenate(rows)
    return np.empty((0, *spec.shape[1:]), spec.dtype)
