"""Which kinds of model are accepted, and why the others are refused. Nothing is parsed here."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shoal.compressor import errors
from shoal.compressor.sources import zips
from shoal.compressor.sources.origin import Origin, OriginFormat
from shoal.contract.problem import InvalidError
from shoal.contract.reason import Reason

_PICKLES: Final = {".pkl", ".pickle", ".joblib", ".pt", ".pth", ".bin", ".ckpt"}
_SUFFIXES: Final = {
    ".onnx": OriginFormat.ONNX,
    ".pt2": OriginFormat.PT2,
    ".tflite": OriginFormat.TFLITE,
    ".skops": OriginFormat.SKOPS,
}
_LOADER: Final = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")  # package.module:function
_TFLITE_MAGIC: Final = b"TFL3"
_SAFE_WAYS: Final = {
    ".pkl": "save it with skops.io.dump and give the .skops file",
    ".pickle": "save it with skops.io.dump and give the .skops file",
    ".joblib": "save it with skops.io.dump and give the .skops file",
}
_SAFE_TORCH: Final = "save it with torch.export.save and give the .pt2 file"
_ACCEPTED: Final = (
    "give an .onnx, .pt2, .skops or .tflite file, or a loader package.module:function"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """What the user vouches for: scikit-learn types by name, and pickles as such."""

    types: tuple[str, ...] = ()
    pickle: bool = False


NO_TRUST: Final = Trust()


def admit(text: str, trust: Trust = NO_TRUST) -> Origin:
    """The origin that MODEL names, by its suffix or, where it has none, by its first bytes.

    Raises:
        InvalidError: UnsafeFormat for a pickle, NotOnnx for what is no known kind, TruncatedModel
            for an archive without suffix that is damaged.
        NotFoundError: no such file.
    """
    path = Path(text)
    if _LOADER.fullmatch(text) and not path.exists():
        return Origin(format=OriginFormat.LOADER, location=text)
    try:
        text.encode()
    except UnicodeEncodeError:  # the runtimes take paths as UTF-8
        raise errors.invalid(
            Reason.INVALID,
            f"the path {text!r} is not UTF-8",
            field="MODEL",
            hint="rename the file, or run under LC_ALL=C.UTF-8",
        ) from None
    suffix = path.suffix.lower()
    if suffix in _PICKLES and not trust.pickle:
        raise _pickle(path, suffix)
    errors.require_file(text, "MODEL")
    if suffix in _PICKLES:
        found = OriginFormat.PICKLE
    elif suffix in _SUFFIXES:
        found = _SUFFIXES[suffix]
    elif not suffix:  # a content-addressed file, as the controller keeps them
        found = _by_content(path, trust)
    else:
        raise errors.invalid(
            Reason.NOT_ONNX,
            f"{path.name} is no kind of model file that is known here",
            field="MODEL",
            hint=_ACCEPTED,
        )
    return Origin(format=found, location=text, trusted=trust.types, trust_pickle=trust.pickle)


def _by_content(path: Path, trust: Trust) -> OriginFormat:
    """Told by the first bytes; ONNX has none of its own, so it is what remains."""
    with path.open("rb") as file:
        head = file.read(8)
    if head[4:8] == _TFLITE_MAGIC:
        return OriginFormat.TFLITE
    if head.startswith(zips.MAGIC):
        with zips.opened(path) as archive:
            names = archive.namelist()
        if "schema.json" in names:
            return OriginFormat.SKOPS
        if any(name.endswith("/archive_format") for name in names):
            return OriginFormat.PT2
    elif not (head[:1] == b"\x80" and head[1:2] <= b"\x05"):
        return OriginFormat.ONNX
    if not trust.pickle:
        raise _pickle(path, "told by its first bytes")
    return OriginFormat.PICKLE


def _pickle(path: Path, kind: str) -> InvalidError:
    safe = _SAFE_WAYS.get(kind, _SAFE_TORCH)
    return errors.invalid(
        Reason.UNSAFE_FORMAT,
        f"{path.name} is a pickle ({kind}): reading it would run whatever code it carries",
        field="MODEL",
        hint=f"{safe}, or export the model to ONNX where it was trained; "
        "if the file is your own, --trust-pickle reads it in a sandboxed child",
    )
