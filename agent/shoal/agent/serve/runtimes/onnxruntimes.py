"""ONNX graphs in onnxruntime.

A session is always opened from a path: onnxruntime releases the interpreter lock while it reads a
file, but not while it copies bytes that Python holds.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from shoal.agent.serve.errors import LoadError
from shoal.agent.serve.runtimes.port import Array, Feeds, SessionOptions, TensorSpec

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


class OnnxRuntime:
    """One session over a whole graph."""

    platform = "onnxruntime_onnx"

    def __init__(self, path: Path, options: SessionOptions) -> None:
        """Open the graph at `path`.

        Raises:
            LoadError: see `files.opened`.
        """
        check_providers(options)
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), settings(options), providers=list(options.providers)
            )
        except Exception as error:
            raise LoadError(f"onnxruntime cannot load {path.name}: {error}") from error
        self.inputs = inputs_of(self._session)
        self.outputs = outputs_of(self._session)

    def run(self, feeds: Feeds, outputs: Sequence[str]) -> list[Array]:
        """See `Runtime.run`."""
        result: list[Array] = self._session.run(list(outputs), feeds)
        return result

    def run_rows(self, rows: Sequence[Feeds], outputs: Sequence[str]) -> list[list[Array]]:
        """See `Runtime.run_rows`."""
        return [self.run(feeds, outputs) for feeds in rows]


def check_providers(options: SessionOptions) -> None:
    """Return if every provider is there; onnxruntime would quietly leave one out.

    Raises:
        LoadError: one is not installed.
    """
    if missing := set(options.providers) - set(onnxruntime.get_available_providers()):
        raise LoadError(f"this device has no {', '.join(sorted(missing))}")


def settings(options: SessionOptions) -> Any:
    """Fresh options of onnxruntime's."""
    chosen = onnxruntime.SessionOptions()
    chosen.intra_op_num_threads = options.threads
    chosen.inter_op_num_threads = 1
    chosen.log_severity_level = _ERRORS_ONLY
    # Threads that spin between runs take the core from everything else on a small device.
    chosen.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return chosen


def inputs_of(session: Any) -> tuple[TensorSpec, ...]:
    """The inputs of a session.

    Raises:
        LoadError: one cannot be served.
    """
    for one in session.get_inputs():
        if one.type not in _TYPES:
            raise LoadError(f"input {one.name!r} is {one.type}, which cannot be served")
    return tuple(_spec(one) for one in session.get_inputs())


def outputs_of(session: Any) -> tuple[TensorSpec, ...]:
    """The outputs of a session that can be served.

    An output of another kind (a sequence of maps from a classifier) is left out, not refused: the
    tensor beside it is what clients ask for.
    """
    return tuple(_spec(one) for one in session.get_outputs() if one.type in _TYPES)


def _spec(node: Any) -> TensorSpec:
    shape = tuple(n if isinstance(n, int) and n >= 0 else -1 for n in node.shape)
    return TensorSpec(name=node.name, dtype=np.dtype(_TYPES[node.type]), shape=shape)
