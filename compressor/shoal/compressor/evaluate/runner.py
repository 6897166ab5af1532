"""One way to run any variant file, whatever engine it is for."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from shoal.compressor.artifacts import Format, format_of
from shoal.compressor.evaluate import session

Array = npt.NDArray[Any]


class Runner(Protocol):
    """A loaded model. onnxruntime's InferenceSession is one as it is."""

    def run(self, outputs: Sequence[str] | None, feed: Mapping[str, Array]) -> list[np.ndarray]:
        """The named outputs, all where None, for one feed by input name."""
        ...


def open_file(path: Path, threads: int) -> Runner:
    """A fresh runner over the file at `path`; raises whatever its engine raises."""
    match format_of(path):
        case Format.ONNX:
            opened: Runner = session.open_session(str(path), threads)
            return opened
        case Format.TFLITE:
            return _open_tflite(path, threads)
        case Format.STAGES:
            return _open_stages(path, threads)


def _open_tflite(path: Path, threads: int) -> Runner:
    from shoal.engines import litert  # noqa: PLC0415 - an optional extra

    with litert.quiet():
        return litert.open_tflite(path, threads)


def _open_stages(path: Path, threads: int) -> Runner:
    from shoal.compressor.evaluate import staged  # noqa: PLC0415 - seldom needed

    return staged.open_stages(path, threads)
