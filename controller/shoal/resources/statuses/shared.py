"""What the statuses of several kinds share: conditions, and why no variant fits."""

from typing import Literal

from pydantic import ConfigDict, Field

from shoal.resources.base import Told

Known = Literal["True", "False", "Unknown"]


class Plain(Told):
    """A part whose fields are named as in reports of agents and of the compressor."""

    model_config = ConfigDict(alias_generator=None)


class Condition(Told):
    """One thing that holds or does not, and since when."""

    type: str = Field(description="What is said, a CamelCase word; each stands once in the list.")
    status: Known = Field(description="Whether it holds; Unknown where nothing can be said yet.")
    reason: str = Field(description="Why, as a short CamelCase word for machines.")
    message: str = Field(description="Why, in a sentence for people; empty where there is no more.")
    last_transition_time: str = Field(description="When `status` last changed, UTC.")


class NearestVariant(Plain):
    """The variant that comes closest to one limit that none meets."""

    constraint: Literal["min_score", "artifact_bytes", "memory_bytes", "latency_ms_p95"] = Field(
        description="The limit: the least score, bytes of the file, bytes of memory, milliseconds."
    )
    limit: float = Field(description="The limit itself, in its own unit.")
    nearest: float = Field(description="What the closest variant has, in the same unit.")
    missed_by: float = Field(description="By how much it misses, above zero, in the same unit.")
    digest: str = Field(description="The closest variant.")
