"""Which kinds of model file are accepted, and why the others are refused."""

import re
from pathlib import Path
from typing import Final

from shoal.compressor import errors
from shoal.contract.reason import Reason

_PICKLES: Final = {".pkl", ".pickle", ".joblib", ".pt", ".pth", ".bin", ".ckpt"}
_LATER: Final = {
    ".pt2": "torch.export archives (.pt2)",
    ".tflite": "LiteRT models (.tflite)",
    ".skops": "scikit-learn models (.skops)",
}
_LOADER: Final = re.compile(r"\w+(\.\w+)*:\w+")  # package.module:function
_EXPORT_HINT: Final = (
    "export the model to ONNX where it was trained (torch.onnx.export, skl2onnx) and give that file"
)


def admit(text: str) -> Path:
    """The path of an ONNX file that exists.

    Raises:
        InvalidError: another format, refused by name (UnsafeFormat, NotBuiltYet, NotOnnx).
        NotFoundError: no such file.
    """
    path = Path(text)
    if _LOADER.fullmatch(text) and not path.exists():
        raise errors.not_built_yet("a loader as the source", _EXPORT_HINT, field="MODEL")
    suffix = path.suffix.lower()
    if suffix in _PICKLES:
        raise errors.invalid(
            Reason.UNSAFE_FORMAT,
            f"{path.name} is a pickle ({suffix}): reading it would run whatever code it carries",
            field="MODEL",
            hint=_EXPORT_HINT,
        )
    if suffix in _LATER:
        raise errors.not_built_yet(f"reading {_LATER[suffix]}", _EXPORT_HINT, field="MODEL")
    if not path.is_file():
        raise errors.missing_file(text, "MODEL")
    if suffix != ".onnx" and not _is_blob(path):
        raise errors.invalid(
            Reason.NOT_ONNX, f"{path.name} is not an .onnx file", field="MODEL", hint=_EXPORT_HINT
        )
    return path


def _is_blob(path: Path) -> bool:
    """A content-addressed file, as the controller keeps them: a name without a suffix."""
    return not path.suffix
