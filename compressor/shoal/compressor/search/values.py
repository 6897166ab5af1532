"""What a search says of its candidates."""

from dataclasses import dataclass
from typing import Any

from shoal.compressor.analyse.sensitivity import Layer
from shoal.compressor.artifacts import Format
from shoal.compressor.recipe import Recipe
from shoal.compressor.rejections import Rejection
from shoal.contract.digest import Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """How well a candidate answers. Intervals are paired with the source, in terms of the score.

    `score`, `interval`, `agreement` and `max_abs` are on evaluation rows; the three `validation_`
    figures are on the search's own rows and are all that a choice may look at. `largest` is the
    largest absolute number among the source's own answers: what `max_abs` is to be seen against.
    """

    score: float
    interval: tuple[float, float]
    agreement: float
    max_abs: float
    largest: float
    validation_score: float
    validation_interval: tuple[float, float]
    validation_agreement: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """Milliseconds foretold for another machine, an interval that holds nine in ten, and why."""

    ms: float
    low_ms: float
    high_ms: float
    basis: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What one inference at batch 1 takes; `forecast` where latency was not measured."""

    p50_ms: float
    p95_ms: float
    latency_ratio: float
    peak_memory_bytes: int
    forecast: Forecast | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What one inference of a graph does, counted and planned.

    `kinds` are its operators with their number types and counts, `sums` multiply-accumulates,
    `moved_bytes` activations read and made, `memory_bytes` the planned peak.
    """

    kinds: tuple[str, ...]
    nodes: int
    weights: int
    sums: int
    moved_bytes: int
    memory_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A variant that builds, loads, is fused and meets the floor."""

    recipe: Recipe
    digest: Digest
    format: Format
    bytes: int
    notes: tuple[dict[str, Any], ...]
    scores: Scores
    costs: Costs
    is_source: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """What is known of a candidate that was scored and not timed."""

    digest: Digest
    bytes: int
    scores: Scores


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """A recipe that led nowhere, and why; what was already known of it."""

    recipe: Recipe
    reason: Rejection
    detail: str
    scored: Scored | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Beaten:
    """A candidate that was not timed: `by` is better in everything that a budget may ask."""

    recipe: Recipe
    scored: Scored
    by: Recipe


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """What a search knows when it ends, in whichever way."""

    source: SourceFigures
    candidates: tuple[Candidate, ...]
    beaten: tuple[Beaten, ...]
    rejected: tuple[Rejected, ...]
    layers: tuple[Layer, ...]
    interrupted: bool
