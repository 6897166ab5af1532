"""One loaded model: its tensors by name, ready to run on any thread.

A session is always opened from a path: onnxruntime releases the interpreter lock while it reads a
file, but not while it copies bytes that Python holds.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from shoal.agent.serve.errors import LoadError

Array = npt.NDArray[Any]

WARM_RUNS = (
    3  # the first run allocates, the second may still plan; the third is like all later ones
)
_ERRORS_ONLY = 3  # onnxruntime's log severity: warnings of its optimiser are no news to an operator

# onnxruntime type → numpy type; strings, sequences and maps have no fixed-size form here.
_TYPES: Mapping[str, type[np.generic]] = {
    "tensor(bool)": np.bool_,
    "tensor(uint8)": np.uint8,
    "tensor(uint16)": np.uint16,
    "tensor(uint32)": np.uint32,
    "tensor(uint64)": np.uint64,
    "tensor(int8)": np.int8,
    "tensor(int16)": np.int16,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
    "tensor(float16)": np.float16,
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
}


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


class Session:
    """A model in memory. `run` may be called from several threads at once."""

    def __init__(self, path: Path, options: SessionOptions) -> None:
        """Open the model at `path`.

        Raises:
            LoadError: it is no model, has tensors that cannot be served, or wants a provider that
                is not installed.
        """
        started = time.perf_counter()
        self._session = _open(path, options)
        self.load_s = time.perf_counter() - started
        self.inputs = tuple(_spec(one) for one in self._session.get_inputs())
        # An output of another kind (a sequence of maps from a classifier) is left out, not refused:
        # the tensor beside it is what clients ask for.
        self.outputs = tuple(
            _spec(one) for one in self._session.get_outputs() if one.type in _TYPES
        )
        self.answering = _answering(self.outputs, options.output)

    def run(self, feeds: Mapping[str, Array], outputs: Sequence[str] | None = None) -> list[Array]:
        """One inference; the named outputs (all where None) in order."""
        names = [one.name for one in self.outputs] if outputs is None else list(outputs)
        result: list[Array] = self._session.run(names, feeds)
        return result

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


def _open(path: Path, options: SessionOptions) -> onnxruntime.InferenceSession:
    if missing := set(options.providers) - set(onnxruntime.get_available_providers()):
        raise LoadError(f"this device has no {', '.join(sorted(missing))}")
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = options.threads
    settings.inter_op_num_threads = 1
    settings.log_severity_level = _ERRORS_ONLY
    # Threads that spin between runs take the core from everything else on a small device.
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = onnxruntime.InferenceSession(
            str(path), settings, providers=list(options.providers)
        )
    except Exception as error:
        raise LoadError(f"onnxruntime cannot load {path.name}: {error}") from error
    if not session.get_inputs():
        raise LoadError("the model has no input")
    for one in session.get_inputs():
        if one.type not in _TYPES:
            raise LoadError(f"input {one.name!r} is {one.type}, which cannot be served")
    return session


def _spec(node: Any) -> TensorSpec:
    shape = tuple(n if isinstance(n, int) and n >= 0 else -1 for n in node.shape)
    return TensorSpec(name=node.name, dtype=np.dtype(_TYPES[node.type]), shape=shape)


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
