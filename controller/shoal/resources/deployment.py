"""Deployment: which model which devices run, and how a new revision reaches them."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from shoal.contract.reason import Reason
from shoal.resources.base import Document, Resource, Selector, Unread
from shoal.resources.gate import Gate, default_gates
from shoal.resources.quantities import MOST_DEVICES, Duration, LabelKey, Name, Percent, ShareOrCount
from shoal.resources.statuses.deployment import DeploymentStatus
from shoal.resources.window import MaintenanceWindow
from shoal.resources.words import Words, refusal

_MODEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(@[1-9]\d{0,8})?")
_APPROVALS = Words(what="approval", built=("auto", "manual"))
_ACTIONS = Words(what="action", built=("rollback", "hold"))
_SCOPES = Words(what="scope", built=("deployment", "cohort"))
_DEADLINES = Words(what="policy", built=("hold", "rollback", "report"))


def _model(text: str) -> str:
    if not _MODEL.fullmatch(text):
        raise refusal(
            Reason.INVALID, f"{text!r} is not a model", "write NAME, or NAME@REVISION to pin one"
        )
    return text


class Wave(Document):
    """One step of a rollout, by cumulative share of every cohort, or by labels."""

    name: Name = Field(description="What people call the wave.")
    size: ShareOrCount = Field(
        description="Devices of each cohort up to this wave: a percent (rounded up) or a count; "
        "with a selector, of the devices that it picks."
    )
    soak: Duration = Field(default="30s", description="How long a switched device is watched.")
    max_soak: Duration = Field(
        default="5m", description="How long an inconclusive gate may prolong the soak."
    )
    approval: Annotated[str, AfterValidator(_APPROVALS.check)] = Field(
        default="auto", description="manual: the wave begins after `shoal rollout promote`."
    )
    selector: Selector | None = Field(
        default=None, description="Only these devices join in this wave; null: any."
    )


class RateRamp(Document):
    """A rate that starts small and grows with the devices that confirmed."""

    start: int = Field(default=1, ge=1, le=MOST_DEVICES, description="Devices a minute at first.")
    factor: float = Field(default=2.0, gt=1, le=100, description="What each step multiplies it by.")
    per_confirmed: int = Field(
        default=10, ge=1, description="A step for every so many devices that confirmed."
    )


class OnFailure(Document):
    """What a failed gate or too many failures lead to."""

    action: Annotated[str, AfterValidator(_ACTIONS.check)] = Field(
        default="rollback", description="rollback returns devices to the earlier revision."
    )
    scope: Annotated[str, AfterValidator(_SCOPES.check)] = Field(
        default="deployment", description="cohort reverts the failing cohort alone."
    )


def default_waves() -> list[Wave]:
    """Canary, half, all."""
    return [
        Wave.model_validate({"name": name, "size": size})
        for name, size in (("canary", "10%"), ("half", "50%"), ("all", "100%"))
    ]


class Strategy(Document):
    """How a new revision reaches the devices."""

    waves: list[Wave] = Field(
        default_factory=default_waves, min_length=1, max_length=32, description="Steps, rising."
    )
    success_threshold: Percent = Field(
        default="90%", description="Confirmed devices among those reachable with the revision."
    )
    max_failures: ShareOrCount = Field(
        default="10%", description="Failed, timed out and refused devices of a wave, rounded down."
    )
    quorum: Percent = Field(
        default="50%", description="Share of a wave that must be reachable to judge it."
    )
    shadow: Percent = Field(
        default="0%",
        description="Live requests that the variant before answers too until maxSoak is over, for "
        "the accuracy and agreement gates; both variants are in memory meanwhile.",
    )
    max_unavailable: ShareOrCount = Field(
        default="25%",
        description="Devices not confirmed at once, rounded down, at least 1.",
    )
    max_unavailable_per: dict[LabelKey, ShareOrCount] = Field(
        default_factory=dict,
        max_length=8,
        description="The same among the devices that share the value of a label, for example "
        "{site: 1}; devices without the label are one group.",
    )
    max_devices: int | None = Field(
        default=None,
        ge=1,
        description="Nothing starts while the selector picks more devices than this, and devices "
        "that come later are told nothing beyond it; null: any.",
    )
    rate_per_minute: int | None = Field(
        default=None,
        ge=1,
        le=MOST_DEVICES,
        description="Devices told in any one minute, at most; null: any.",
    )
    rate_ramp: RateRamp | None = Field(
        default=None, description="How the rate grows up to ratePerMinute; null: it is constant."
    )
    device_timeout: Duration = Field(
        default="10m", description="How long one device may take before it counts as timed out."
    )
    window: MaintenanceWindow | None = Field(
        default=None, description="When devices may start to change; null: at any time."
    )
    verdicts_per: list[LabelKey] = Field(
        default_factory=list,
        max_length=4,
        description="Labels whose values are judged apart: each has its own canary, thresholds, "
        "gates and, with scope cohort, rollback.",
    )
    gates: list[Gate] = Field(
        default_factory=default_gates, max_length=16, description="Conditions on the evidence."
    )
    on_failure: OnFailure = Field(default_factory=OnFailure, description="What a failure leads to.")
    progress_deadline: Duration = Field(
        default="10m", description="How long a rollout may stand still, pauses excluded."
    )
    on_deadline: Annotated[str, AfterValidator(_DEADLINES.check)] = Field(
        default="hold", description="What the end of the progress deadline leads to."
    )


class DeploymentSpec(Document):
    """Which model, which devices, and how."""

    model: Annotated[str, AfterValidator(_model)] = Field(
        description="NAME follows new revisions of the Model; NAME@REVISION is pinned."
    )
    selector: Selector = Field(description="The devices that run it.")
    strategy: Strategy = Field(
        default_factory=Strategy, description="Waves, thresholds, gates and limits of its rollouts."
    )


class Deployment(Resource):
    """A model that a selection of devices runs."""

    kind: Literal["Deployment"] = Field(description="The kind.")
    spec: DeploymentSpec = Field(description="What its devices are to run, and how they get there.")
    status: Annotated[DeploymentStatus | None, Unread(DeploymentStatus)] = Field(
        default=None, description="Where its newest rollout stands; ignored when written by people."
    )
