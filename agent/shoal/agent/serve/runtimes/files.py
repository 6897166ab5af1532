"""Which kind of file a variant is, told by its first bytes: a blob is named by its digest alone."""

import enum
from pathlib import Path

from shoal.agent.serve.errors import LoadError
from shoal.agent.serve.runtimes import onnxruntimes
from shoal.agent.serve.runtimes.port import Runtime, SessionOptions

_HEAD_BYTES = 8


class Kind(enum.Enum):
    """Kinds of variant file."""

    ONNX = "onnx"
    TFLITE = "tflite"
    STAGES = "stages"


def kind_of(path: Path) -> Kind:
    """The kind of the file at `path`; ONNX has no mark of its own, so it is what remains."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if head[4:8] == b"TFL3":
        return Kind.TFLITE
    return Kind.STAGES if head.startswith(b"PK\x03\x04") else Kind.ONNX


def prepare(path: Path) -> None:
    """Import what runs the file: its memory is the runtime's own share, not the model's.

    Raises:
        LoadError: it is not installed here.
    """
    match kind_of(path):
        case Kind.ONNX:
            pass
        case Kind.TFLITE:
            try:
                from shoal.agent.serve.runtimes import lite  # noqa: F401, PLC0415 - an extra
            except ImportError as error:
                raise LoadError(
                    "this device has no LiteRT to run a .tflite file: pip install 'shoal[litert]'"
                ) from error
        case Kind.STAGES:
            from shoal.agent.serve.runtimes import staged  # noqa: F401, PLC0415 - seldom needed


def opened(path: Path, options: SessionOptions) -> Runtime:
    """What runs the file at `path`.

    Raises:
        LoadError: it is no model, has tensors that cannot be served, or wants what is not
            installed.
    """
    prepare(path)
    match kind_of(path):
        case Kind.ONNX:
            return onnxruntimes.OnnxRuntime(path, options)
        case Kind.TFLITE:
            from shoal.agent.serve.runtimes import lite  # noqa: PLC0415 - see `prepare`

            return lite.LiteRuntime(path, options)
        case Kind.STAGES:
            from shoal.agent.serve.runtimes import staged  # noqa: PLC0415 - see `prepare`

            return staged.StagedRuntime(path, options)
