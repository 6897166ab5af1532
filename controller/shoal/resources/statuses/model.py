"""The status of a Model: its revisions, their searches, and what each profile would get."""

from typing import Literal

from pydantic import Field

from shoal.resources.base import Status, Told
from shoal.resources.statuses.shared import Condition, NearestVariant


class NothingFits(Told):
    """Why no variant meets the floor and the budget of a profile."""

    nearest: list[NearestVariant] = Field(
        description="For each limit in the way, the variant that comes closest to it."
    )


class ChosenVariant(Told):
    """The variant that a profile's devices would get, or why there is none."""

    digest: str | None = Field(default=None, description="The variant; absent where none fits.")
    bytes: int | None = Field(default=None, description="Bytes of its file.")
    score: float | None = Field(
        default=None, description="Its score on the evaluation rows, in the Model's own metric."
    )
    latency_ms_p95: float | None = Field(
        default=None,
        alias="latency_ms_p95",
        description="95 of 100 inferences were faster than this, milliseconds: where `figures` "
        "says.",
    )
    figures: Literal["estimate", "measured"] | None = Field(
        default=None,
        description="Whose word time and memory are: the builder's, or that of devices as well.",
    )
    runtime: str | None = Field(default=None, description="The engine that runs it.")
    no_feasible_variant: NothingFits | None = Field(
        default=None, description="Instead of a variant, where none fits: what came closest."
    )


class ClassSearch(Told):
    """The search for the variants of one class of devices."""

    state: Literal["Pending", "Searching", "Ready", "Failed"] = Field(
        description="How far the search is."
    )
    variants: int = Field(description="Variants that it found worth keeping.")
    chosen: dict[str, ChosenVariant] = Field(
        description="By DeviceProfile, what its devices of this class would get; empty until Ready."
    )


class ModelRevision(Told):
    """One source with its data and quality, and the searches for it."""

    number: int = Field(description="Counts up from 1; NAME@NUMBER pins a Deployment to it.")
    digest: str = Field(description="The source.")
    score: float | None = Field(
        description="The source's score on the evaluation rows; null until a search has ended."
    )
    ready: bool = Field(description="Whether a search has accepted it, so that it may roll out.")
    reason: str = Field(description="Ready, Searching, or why a search failed, for machines.")
    message: str = Field(description="Why a search failed, for people; else empty.")
    classes: dict[str, ClassSearch] = Field(
        description="The search for each class of devices that a Deployment selects, by class."
    )


class ModelStatus(Status):
    """The newest revisions of a model and what was found for each."""

    observed_generation: int | None = Field(
        default=None, description="The generation of the spec that this status speaks of."
    )
    revisions: list[ModelRevision] = Field(
        default_factory=list, description="The newest 10 that are kept, oldest first."
    )
    conditions: list[Condition] = Field(
        default_factory=list, description="Ready: the newest revision has its variants."
    )
