"""What a search says of its candidates."""

from dataclasses import dataclass
from typing import Any

from shoal.compressor.recipe import Recipe
from shoal.compressor.rejections import Rejection
from shoal.contract.digest import Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """How well a candidate answers. Intervals are paired with the source, in terms of the score.

    `score`, `interval`, `agreement` and `max_abs` are on evaluation rows; the three `validation_`
    figures are on the search's own rows and are all that a choice may look at.
    """

    score: float
    interval: tuple[float, float]
    agreement: float
    max_abs: float
    validation_score: float
    validation_interval: tuple[float, float]
    validation_agreement: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What one inference at batch 1 takes."""

    p50_ms: float
    p95_ms: float
    latency_ratio: float
    peak_memory_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A variant that builds, loads, is fused and meets the floor."""

    recipe: Recipe
    digest: Digest
    bytes: int
    notes: tuple[dict[str, Any], ...]
    scores: Scores
    costs: Costs
    is_source: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """A recipe that led nowhere, and why."""

    recipe: Recipe
    reason: Rejection
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFigures:
    """The untouched source, measured."""

    digest: Digest
    bytes: int
    score: float
    validation_score: float
    p50_ms: float
    p95_ms: float
    peak_memory_bytes: int
    runtime_rss_bytes: int
