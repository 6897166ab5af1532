"""What the user gave as MODEL: which format, where it lies, and what was trusted."""

import enum
from dataclasses import dataclass


class OriginFormat(enum.StrEnum):
    """The formats that a source may come in."""

    ONNX = "onnx"
    PT2 = "pt2"
    LOADER = "loader"
    SKOPS = "skops"
    PICKLE = "pickle"
    TFLITE = "tflite"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """`location` is a path, or `package.module:function` of a loader.

    `trusted` names types beyond Shoal's own list that a .skops file may hold; `trust_pickle` allows
    a pickle to be read, in the sandboxed child alone.
    """

    format: OriginFormat
    location: str
    trusted: tuple[str, ...] = ()
    trust_pickle: bool = False

    @property
    def name(self) -> str:
        """What messages call it: a file's name without its folder, or the loader."""
        return self.location.rpartition("/")[2]
