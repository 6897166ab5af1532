"""Model: a source, the quality to keep, the data to judge it by, and how to compress it."""

import re
from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from shoal.contract.limits import ARTIFACTS_PER_ASSIGNMENT, GOLDEN_INPUTS
from shoal.contract.reason import Reason
from shoal.resources.base import Document, Resource, Unread
from shoal.resources.quality import Quality
from shoal.resources.statuses.model import ModelStatus
from shoal.resources.words import Words, refusal

_METHODS = Words(what="method", built=("quantize", "prune", "distill", "split"))
_OBJECTIVES = Words(what="objective", built=("accuracy", "latency", "bytes", "memory"))
_EFFORTS = Words(what="effort", built=("quick", "balanced", "thorough"))

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_LOADER = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
_ASSET = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._ -]{0,127}")
_SOURCES = (".onnx", ".pt2", ".skops", ".tflite")
_SAFE_SKLEARN = "save it with skops.io.dump and name the .skops file"
_SAFE_TORCH = "save it with torch.export.save and name the .pt2 file"
_RUNS_CODE = {
    **dict.fromkeys((".pkl", ".pickle", ".joblib"), _SAFE_SKLEARN),
    **dict.fromkeys((".pt", ".pth", ".bin", ".ckpt"), _SAFE_TORCH),
}


def _source(text: str) -> str:
    """A digest, or a path or URL whose suffix names a kind of model."""
    if _DIGEST.fullmatch(text):
        return text
    suffix = PurePosixPath(_place(text)).suffix.lower()
    if suffix in _SOURCES:
        return text
    if suffix in _RUNS_CODE:
        raise refusal(
            Reason.UNSAFE_FORMAT,
            f"{suffix} files run code when they are loaded",
            f"{_RUNS_CODE[suffix]}, or export the model to ONNX",
        )
    if _LOADER.fullmatch(text):
        raise refusal(
            Reason.UNSAFE_FORMAT,
            "a loader is code of yours, and the controller runs none of it",
            f"{_SAFE_TORCH}; shoal-compress takes loaders",
        )
    raise refusal(
        Reason.INVALID,
        f"{text!r} is neither a digest nor a file of a known kind",
        f"name a file that ends in {', '.join(_SOURCES)}",
    )


def _place(text: str) -> str:
    """The path of a path or URL, without what follows a `?` or `#`."""
    return re.split(r"[?#]", text, maxsplit=1)[0]


def asset_name(text: str) -> str:
    """Under which name a file of `assets` travels: `labels.txt` for `data/labels.txt`."""
    name, equals, _ = text.rpartition("=sha256:")
    return name if equals else PurePosixPath(_place(text)).name


def _asset(text: str) -> str:
    """A path or URL, or NAME=DIGEST as apply writes it."""
    if _DIGEST.fullmatch(text):
        raise refusal(Reason.INVALID, "an asset needs a name", f"write labels.txt={text}")
    if not _ASSET.fullmatch(asset_name(text)):
        raise refusal(
            Reason.INVALID,
            f"{asset_name(text)!r} is not a plain file name of at most 128 characters",
            "letters, digits, spaces, dots, hyphens and underscores, beginning with none of the "
            "signs but an underscore",
        )
    if "=sha256:" in text and not _DIGEST.fullmatch(text[text.rindex("sha256:") :]):
        raise refusal(Reason.INVALID, f"{text!r} does not end in a digest")
    return text


def _data(text: str) -> str:
    if _DIGEST.fullmatch(text) or _place(text).lower().endswith(".npz"):
        return text
    raise refusal(Reason.INVALID, f"{text!r} is neither an .npz file nor a digest")


DataFile = Annotated[str, AfterValidator(_data)]


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
        description="Evaluation rows that travel with each variant for the check on the device; "
        "as many as fit in 16 MiB, outside the artifact budget.",
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
        description="Path, URL or digest of an .onnx, .pt2, .skops or .tflite file; apply uploads "
        "it."
    )
    assets: list[Annotated[str, AfterValidator(_asset)]] = Field(
        default_factory=list,
        max_length=ARTIFACTS_PER_ASSIGNMENT - 3,
        description="Small files that travel with every variant, unchanged; no two of one name.",
    )
    quality: Quality = Field(default_factory=Quality, description="The quality to keep.")
    data: Data = Field(description="The data to compress with and to judge by.")
    compression: Compression = Field(
        default_factory=Compression, description="What the search may do, and what it is after."
    )


class Model(Resource):
    """A model to run; every new source or data is a new Model revision."""

    kind: Literal["Model"] = Field(description="The kind.")
    spec: ModelSpec = Field(description="The source and what is asked of its variants.")
    status: Annotated[ModelStatus | None, Unread(ModelStatus)] = Field(
        default=None,
        description="Its revisions and what was found for them; ignored when written by people.",
    )
