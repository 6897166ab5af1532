"""A model file before it is uploaded: one file, and of the kind that its name says.

Nothing but an ONNX file is parsed here, and that in a child (see `onnxfile`); of the others the
first bytes are looked at, so that a mistake is told at once and not by a search that fails later.
"""

from pathlib import Path

from shoal.client import onnxfile
from shoal.contract.problem import InvalidError, Problem
from shoal.contract.reason import Reason

_HEAD_BYTES = 8
_ZIP = b"PK\x03\x04"  # what .pt2 and .skops are
_TFLITE = b"TFL3"  # the identifier of the flatbuffer, after its first offset


def prepared(path: Path, scratch: Path) -> Path:
    """The file to upload for the model at `path`: itself, or a folded copy in folder `scratch`.

    Raises:
        InvalidError: it is not what its suffix says, or has data outside its folder.
        FailedError: the reading child broke a limit or died.
    """
    suffix = path.suffix.lower()
    if suffix == ".onnx":
        return onnxfile.as_one_file(path, scratch)
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    is_right = head[4:8] == _TFLITE if suffix == ".tflite" else head.startswith(_ZIP)
    if not is_right:
        raise InvalidError(
            Problem(
                reason=Reason.UNSAFE_FORMAT if head[:1] == b"\x80" else Reason.INVALID,
                message=f"{path} is no {suffix} file by its first bytes",
                hint="name the file as it was saved; pickles are not taken",
            )
        )
    return path
