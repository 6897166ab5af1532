"""One loaded model: its tensors by name, ready to run on any thread."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from shoal.agent.serve.errors import LoadError
from shoal.agent.serve.runtimes import files
from shoal.agent.serve.runtimes.port import Array, Feeds, SessionOptions, TensorSpec

__all__ = ["Array", "Session", "SessionOptions", "TensorSpec"]

WARM_RUNS = (
    3  # the first run allocates, the second may still plan; the third is like all later ones
)


class Session:
    """A model in memory. `run` may be called from several threads at once."""

    def __init__(self, path: Path, options: SessionOptions) -> None:
        """Open the model at `path`.

        Raises:
            LoadError: it is no model, has tensors that cannot be served, or wants a provider that
                is not installed.
        """
        started = time.perf_counter()
        self._runtime = files.opened(path, options)
        self.load_s = time.perf_counter() - started
        self.platform = self._runtime.platform
        self.inputs, self.outputs = self._runtime.inputs, self._runtime.outputs
        if not self.inputs:
            raise LoadError("the model has no input")
        self.answering = _answering(self.outputs, options.output)

    def run(self, feeds: Mapping[str, Array], outputs: Sequence[str] | None = None) -> list[Array]:
        """One inference; the named outputs (all where None) in order."""
        names = [one.name for one in self.outputs] if outputs is None else list(outputs)
        return self._runtime.run(feeds, names)

    def run_rows(self, rows: Sequence[Feeds], output: str) -> list[Array]:
        """One output for each of the rows, as each alone is answered."""
        return [given[0] for given in self._runtime.run_rows(rows, [output])]

    def attempt(self, feeds: Mapping[str, Array]) -> list[Array]:
        """One inference of a model that is not proven yet.

        Raises:
            LoadError: it does not run.
        """
        try:
            return self.run(feeds)
        except Exception as error:
            raise LoadError(f"the model does not run: {error}") from error

    def example(self) -> dict[str, Array]:
        """Zeros of every input's shape, 1 where a dimension may have any size."""
        return {one.name: np.zeros([abs(n) for n in one.shape], one.dtype) for one in self.inputs}

    def warm_up(self) -> float:
        """Run on zeros until runs are ordinary; seconds of the last run, 0.0 where it cannot run.

        A model with more than a free batch dimension may refuse a guessed shape: it was proven on
        real inputs by preflight, and its first request warms it instead.

        Raises:
            LoadError: a model of fixed shapes does not run.
        """
        feeds = self.example()
        try:
            for _ in range(WARM_RUNS):
                started = time.perf_counter()
                self.attempt(feeds)
        except LoadError:
            if any(-1 in one.shape[1:] for one in self.inputs):
                return 0.0
            raise
        return time.perf_counter() - started


def _answering(outputs: Sequence[TensorSpec], wanted: str) -> TensorSpec:
    """The output that holds the answer: the named one, else the rule of contracts section 3.

    An integer vector of labels if there is one, else the first floating output, else the first.
    """
    if not outputs:
        raise LoadError("the model has no output that can be served")
    if wanted:
        for one in outputs:
            if one.name == wanted:
                return one
        known = ", ".join(one.name for one in outputs)
        raise LoadError(f"the model has no output {wanted!r}; it has {known}")
    labels = [one for one in outputs if one.dtype.kind in "iu" and len(one.shape) == 1]
    scores = [one for one in outputs if one.dtype.kind == "f"]
    return (labels or scores or list(outputs))[0]
