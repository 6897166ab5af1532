"""Gates of a Deployment: what evidence must show before a rollout goes on."""

from typing import Annotated

from pydantic import AfterValidator, Field

from shoal.contract.reason import Reason
from shoal.resources.base import Document
from shoal.resources.words import Words

_METRICS = Words(
    what="gate metric",
    built=("accuracy", "agreement", "latency.p95", "errorRate", "restarts"),
    later=("quality", "crashes", "latency.p50", "latency.p99"),
    unknown=Reason.UNKNOWN_METRIC,
)
_INCONCLUSIVE = Words(what="policy", built=("hold", "rollback"))


class Gate(Document):
    """One condition on the evidence; fail, pass or inconclusive."""

    metric: Annotated[str, AfterValidator(_METRICS.check)] = Field(
        description="accuracy and agreement (golden set), latency.p95, errorRate, restarts."
    )
    max_drop: float | None = Field(
        default=None, ge=0, le=1, description="For accuracy and agreement: the loss allowed."
    )
    max_ratio: float | None = Field(
        default=None, gt=0, description="For latency.p95: candidate over active."
    )
    max: float | None = Field(
        default=None, ge=0, description="For errorRate: a share; for restarts: a count, hard stop."
    )
    min_samples: int = Field(default=30, ge=1, description="Samples per device before a verdict.")
    alpha: float = Field(
        default=0.05, gt=0, lt=1, description="Chance of a false failure over the whole rollout."
    )
    on_inconclusive: Annotated[str, AfterValidator(_INCONCLUSIVE.check)] = Field(
        default="hold", description="What to do when maxSoak ends without a verdict."
    )


def default_gates() -> list[Gate]:
    """The gates where `gates` is left out (contracts: section 4)."""
    return [
        Gate.model_validate(gate)
        for gate in (
            {"metric": "errorRate", "max": 0.01, "minSamples": 60},
            {"metric": "latency.p95", "maxRatio": 1.5, "minSamples": 60},
            {"metric": "restarts", "max": 0},
        )
    ]
