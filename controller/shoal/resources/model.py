"""Model: a source, the quality to keep, the data to judge it by, and how to compress it."""

import re
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from shoal.contract.limits import ARTIFACTS_PER_ASSIGNMENT, GOLDEN_INPUTS
from shoal.contract.reason import Reason
from shoal.resources.base import Document, Resource
from shoal.resources.words import Words, not_built, refusal

_METRICS = Words(
    what="metric",
    built=("top1", "agreement", "cosine"),
    later=("top5", "f1_macro", "auroc", "mse", "mae", "spearman", "sqnr", "max_abs"),
    unknown=Reason.UNKNOWN_METRIC,
)
_METHODS = Words(what="method", built=("quantize", "prune", "distill"), later=("split",))
_OBJECTIVES = Words(what="objective", built=("accuracy", "latency", "bytes", "memory"))
_EFFORTS = Words(what="effort", built=("quick", "balanced", "thorough"))
_FLOORS = Words(what="floor", built=("measured",), later=("proven",))

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_LOADER = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
_RUNS_CODE = {".pkl", ".pickle", ".joblib", ".pt", ".pth"}
_SOURCES_LATER = {".pt2", ".tflite", ".skops"}


def _metric(name: str) -> str:
    if _LOADER.fullmatch(name):
        raise not_built("a metric of your own", "use one of " + ", ".join(_METRICS.built))
    return _METRICS.check(name)


def _source(text: str) -> str:
    """A digest, or a path or URL that ends in .onnx."""
    if _DIGEST.fullmatch(text):
        return text
    suffix = PurePosixPath(text.split("?", maxsplit=1)[0]).suffix.lower()
    if suffix == ".onnx":
        return text
    if suffix in _RUNS_CODE:
        raise refusal(
            Reason.UNSAFE_FORMAT,
            f"{suffix} files run code when they are loaded",
            "export the model to ONNX and name that file",
        )
    if suffix in _SOURCES_LATER or _LOADER.fullmatch(text):
        raise not_built(f"a {suffix or 'loader'} source", "export the model to ONNX")
    raise refusal(
        Reason.INVALID, f"{text!r} is neither an .onnx file nor a digest", "name an .onnx file"
    )


def _data(text: str) -> str:
    if _DIGEST.fullmatch(text) or text.lower().endswith(".npz"):
        return text
    raise refusal(Reason.INVALID, f"{text!r} is neither an .npz file nor a digest")


DataFile = Annotated[str, AfterValidator(_data)]


class Quality(Document):
    """How much of the source's quality a variant must keep."""

    metric: Annotated[str, AfterValidator(_metric)] = Field(
        default="top1",
        description="top1 needs labels; agreement and cosine compare to the source.",
    )
    max_drop: float | None = Field(
        default=0.01,
        ge=0,
        le=1,
        description="How much lower than the source's own score a variant may score "
        "(default 0.01, or none where minScore is given).",
    )
    min_score: float | None = Field(
        default=None, ge=-1, le=1, description="The score that every variant must reach."
    )
    floor: Annotated[str, AfterValidator(_FLOORS.check)] = Field(
        default="measured", description="What must reach the floor: the measured score."
    )

    @model_validator(mode="before")
    @classmethod
    def _one_floor_replaces_the_default(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("minScore") is not None and "maxDrop" not in data:
            return {**data, "maxDrop": None}
        return data


class Data(Document):
    """Inputs, and labels under `y`, as .npz files; digests after apply has uploaded them."""

    calibration: DataFile = Field(description="Rows that compression may look at.")
    evaluation: DataFile = Field(description="Rows that only judge; none may be in calibration.")
    train: DataFile | None = Field(
        default=None, description="Rows to train on; without them nothing is fine-tuned."
    )
    golden: int = Field(
        default=400,
        ge=0,
        le=GOLDEN_INPUTS,
        description="Evaluation rows that travel with each variant for the check on the device.",
    )


class Compression(Document):
    """How variants are looked for."""

    methods: list[Annotated[str, AfterValidator(_METHODS.check)]] = Field(
        default_factory=lambda: list(_METHODS.built), description="What may be done to the model."
    )
    objective: Annotated[str, AfterValidator(_OBJECTIVES.check)] = Field(
        default="accuracy", description="What is best among variants within budget and floor."
    )
    effort: Annotated[str, AfterValidator(_EFFORTS.check)] = Field(
        default="balanced", description="How long to search."
    )
    seed: int = Field(default=0, ge=0, description="The same seed finds the same variants.")


class ModelSpec(Document):
    """A source, the quality to keep, and the data to judge it by."""

    source: Annotated[str, AfterValidator(_source)] = Field(
        description="Path of an .onnx file, relative to the manifest, or its digest."
    )
    assets: list[str] = Field(
        default_factory=list,
        max_length=ARTIFACTS_PER_ASSIGNMENT - 3,
        description="Small files that travel with every variant, unchanged.",
    )
    quality: Quality = Field(default_factory=Quality, description="The quality to keep.")
    data: Data = Field(description="The data to compress with and to judge by.")
    compression: Compression = Field(
        default_factory=Compression, description="How variants are looked for."
    )


class Model(Resource):
    """A model to run; every new source or data is a new Model revision."""

    kind: Literal["Model"] = Field(description="The kind.")
    spec: ModelSpec = Field(description="The source and what is asked of its variants.")
