"""The status of a Variant: what the builder measured of it, and what devices did."""

from typing import Literal

from pydantic import Field

from shoal.resources.base import Status
from shoal.resources.statuses.shared import Plain


class LatencyFigures(Plain):
    """Times of one inference on the builder, batch 1, in milliseconds."""

    p50: float = Field(description="Half of the inferences were faster.")
    p95: float = Field(description="95 of 100 inferences were faster.")


class Stage(Plain):
    """One part of a variant that was cut to fit a memory budget."""

    file: str = Field(description="Its file within the variant.")
    bytes: int = Field(description="Bytes of the file.")
    peak_memory_bytes: int = Field(description="Peak memory while it runs, in bytes.")
    cut_bytes: int = Field(description="Bytes that it hands to the next part; 0 for the last.")


class DeviceFigures(Plain):
    """What one device measured of the variant; without figures where it did not get that far."""

    refusal: str = Field(description="Why it does not do on that device; empty where it does.")
    agreement: float | None = Field(
        default=None, description="Share of answers that equal the variant's reference answers."
    )
    p50_ms: float | None = Field(
        default=None, description="Half of the inferences were faster, milliseconds."
    )
    p95_ms: float | None = Field(
        default=None, description="95 of 100 inferences were faster, milliseconds."
    )
    active_p95_ms: float | None = Field(
        default=None,
        description="The same of the variant that was active then, milliseconds; null: none was.",
    )
    latency_ratio: float | None = Field(
        default=None, description="Its time over that of the active variant; null: none was active."
    )
    peak_memory_bytes: int | None = Field(default=None, description="Peak memory, in bytes.")
    load_ms: float | None = Field(
        default=None, description="How long loading it took, milliseconds."
    )


class VariantStatus(Status, Plain):
    """What a variant costs and scores."""

    digest: str | None = Field(default=None, description="The variant's file.")
    bytes: int | None = Field(default=None, description="Bytes of the file.")
    score: float | None = Field(
        default=None, description="Score on the evaluation rows, in `metric`."
    )
    score_interval: list[float] | None = Field(
        default=None, description="Lower and upper end of the 95 % interval of the score."
    )
    metric: str | None = Field(default=None, description="What the score measures.")
    smaller_is_better: bool | None = Field(
        default=None, description="Whether a smaller score is the better one."
    )
    agreement: float | None = Field(
        default=None, description="How closely it answers like the source; 1 is always."
    )
    latency_ms: LatencyFigures | None = Field(
        default=None, description="Times of one inference on the builder."
    )
    latency_ratio: float | None = Field(
        default=None, description="Its time over that of the source; below 1 is faster."
    )
    peak_memory_bytes: int | None = Field(
        default=None,
        description="Peak memory of a fresh process beyond the runtime's own share, in bytes.",
    )
    floor_proven: bool | None = Field(
        default=None,
        description="Whether even the worse end of the score's interval meets the quality floor.",
    )
    runtime: str | None = Field(default=None, description="The engine that runs it.")
    format: str | None = Field(
        default=None, description="The suffix of its file: onnx, tflite or stages."
    )
    stages: list[Stage] | None = Field(
        default=None, description="Its parts in order, where it was cut to fit a memory budget."
    )
    figures: Literal["estimate", "measured"] | None = Field(
        default=None,
        description="Whose word time and memory are: the builder's alone, or also that of devices.",
    )
    measured: dict[str, DeviceFigures] | None = Field(
        default=None, description="By device of the class, what it measured before the rollout."
    )
    scouts: list[str] = Field(
        default_factory=list, description="Devices that measure it at this moment."
    )
    unreferenced_since: str | None = Field(
        default=None,
        alias="unreferencedSince",
        description="Since when no search result holds it, UTC; it goes after the retention time.",
    )
