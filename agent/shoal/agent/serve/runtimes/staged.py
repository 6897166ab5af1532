"""`.stages` files: a graph in stages, of which one is in memory at a time."""

import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from shoal.agent.serve.errors import LoadError
from shoal.agent.serve.runtimes import onnxruntimes
from shoal.agent.serve.runtimes.port import Array, Feeds, SessionOptions, TensorSpec
from shoal.engines.staged import Settings, StagedRunner

_ROWS = 16  # rows that share the loading of a stage; requests wait for them no longer than that


class StagedRuntime:
    """Stage by stage, one inference at a time: two at once would take the memory twice."""

    platform = "onnxruntime_stages"

    def __init__(self, path: Path, options: SessionOptions) -> None:
        """Open the file at `path`, and each of its stages once.

        Raises:
            LoadError: see `files.opened`.
        """
        onnxruntimes.check_providers(options)
        settings = Settings(
            options=partial(onnxruntimes.settings, options), providers=options.providers
        )
        try:
            self._runner = StagedRunner(path, settings)
            self.inputs, self.outputs = _signature(self._runner)
        except LoadError:
            raise
        except Exception as error:
            raise LoadError(f"the stages of {path.name} cannot be loaded: {error}") from error
        self._lock = threading.Lock()

    def run(self, feeds: Feeds, outputs: Sequence[str]) -> list[Array]:
        """See `Runtime.run`."""
        with self._lock:
            return self._runner.run(outputs, feeds)

    def run_rows(self, rows: Sequence[Feeds], outputs: Sequence[str]) -> list[list[Array]]:
        """See `Runtime.run_rows`; several rows go through a stage while it is loaded."""
        results: list[list[Array]] = []
        for first in range(0, len(rows), _ROWS):
            with self._lock:
                results += self._runner.run_rows(outputs, rows[first : first + _ROWS])
        return results


def _signature(runner: StagedRunner) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    """The inputs and outputs of the whole, from those of the stages."""
    taken: dict[str, TensorSpec] = {}
    given: dict[str, TensorSpec] = {}

    def look(session: Any) -> None:
        taken.update({one.name: one for one in onnxruntimes.inputs_of(session)})
        given.update({one.name: one for one in onnxruntimes.outputs_of(session)})

    runner.inspect(look)
    for name in runner.index.inputs:
        if name not in taken:
            raise LoadError(f"no stage takes the input {name!r}")
    inputs = tuple(taken[name] for name in runner.index.inputs)
    return inputs, tuple(given[name] for name in runner.index.outputs if name in given)
