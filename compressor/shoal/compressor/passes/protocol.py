"""What a pass is: a frozen config that turns one model into another.

A pass is deterministic: the same config, model, context and versions give the same bytes. It never
sees evaluation rows. Heavy libraries (torch) are imported inside `apply`, never at module level, so
that reading a recipe stays cheap.
"""

import enum
from collections.abc import Mapping
from dataclasses import Field, dataclass, field
from typing import Any, ClassVar, Final, Protocol

import numpy.typing as npt
import onnx

from shoal.compressor.artifacts import Artifact
from shoal.compressor.rejections import Rejection
from shoal.compressor.sources.origin import Origin

Array = npt.NDArray[Any]

IN_TITLE: Final = {"in_title": True}  # metadata of a setting that titles show even at its default


class Effort(enum.StrEnum):
    """How long a search may look; passes scale their epochs by their own config, not by this."""

    QUICK = "quick"
    BALANCED = "balanced"
    THOROUGH = "thorough"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainRows:
    """Labelled rows: `inputs` by graph input name with the row axis first, `y` one label a row."""

    inputs: Mapping[str, Array]
    y: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class PassContext:
    """What a pass may look at besides the model it is given.

    `calibration` holds arrays by graph input name, row axis first: where the graph's own first
    dimension is 1 or symbolic the rows take its place. `constants` are fed with every row, whole.
    `train` is None where the user gave no training rows. `source` is the untouched source: the
    teacher of a distillation. `output` is the answering output that the metric reads. The rows the
    search validates on are in neither `calibration` nor `train`. `origin` is what the user gave
    where that was no ONNX file.
    """

    calibration: Mapping[str, Array]
    train: TrainRows | None
    source: onnx.ModelProto
    output: str
    seed: int
    threads: int = 1
    effort: Effort = Effort.QUICK
    constants: Mapping[str, Array] = field(default_factory=dict)
    origin: Origin | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PassResult:
    """The new model, and what the pass has to say about it as JSON (scores, ratios, layers)."""

    model: onnx.ModelProto
    notes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A finished file in place of a graph: it ends its recipe, no pass can follow."""

    artifact: Artifact
    notes: Mapping[str, Any] = field(default_factory=dict)


class PassError(Exception):
    """A pass could not do its work on this model; the candidate ends as a row in `rejected`."""

    def __init__(self, reason: Rejection, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class Pass(Protocol):
    """A frozen config dataclass with `method` and `apply`; instances are what recipes hold."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    @property
    def method(self) -> str:
        """The word that recipes and reports call this pass by."""
        ...

    def apply(self, model: onnx.ModelProto, context: PassContext) -> PassResult | Finished:
        """A new model; `model` itself is left as it was.

        Raises:
            PassError: this model cannot be transformed so.
        """
        ...
