"""Finished files: what a recipe may end in besides an ONNX graph."""

import enum
from dataclasses import dataclass
from pathlib import Path


class Format(enum.StrEnum):
    """Kinds of variant file; the word is also the file's suffix."""

    ONNX = "onnx"
    TFLITE = "tflite"
    STAGES = "stages"

    @property
    def runtime(self) -> str:
        """The engine that runs such a file, as reports name it."""
        return "litert" if self is Format.TFLITE else "onnxruntime"


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A finished file in memory; no pass of a recipe follows the one that made it."""

    format: Format
    data: bytes


def format_of(path: Path) -> Format:
    """The kind of the file at `path` by its suffix; a name without one is ONNX, as blobs are."""
    suffix = path.suffix.removeprefix(".")
    return Format(suffix) if suffix in set(Format) else Format.ONNX
