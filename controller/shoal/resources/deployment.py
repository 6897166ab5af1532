"""Deployment: which model which devices run, and how a new revision reaches them."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from shoal.contract.reason import Reason
from shoal.resources.base import Document, Resource, Selector
from shoal.resources.gate import Gate, default_gates
from shoal.resources.quantities import Duration, Name, Percent, ShareOrCount
from shoal.resources.words import Words, none_yet, refusal

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
    """One step of a rollout, by cumulative share of every cohort."""

    name: Name = Field(description="What people call the wave.")
    size: ShareOrCount = Field(
        description="Devices of each cohort up to this wave: a percent (rounded up) or a count."
    )
    soak: Duration = Field(default="30s", description="How long a switched device is watched.")
    max_soak: Duration = Field(
        default="5m", description="How long an inconclusive gate may prolong the soak."
    )
    approval: Annotated[str, AfterValidator(_APPROVALS.check)] = Field(
        default="auto", description="manual waits for `shoal rollout promote` after the wave."
    )
    selector: Annotated[Selector | None, BeforeValidator(none_yet("a selector of a wave"))] = Field(
        default=None, description="Only null is built yet."
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
    max_unavailable: ShareOrCount = Field(
        default="25%",
        description="Devices not confirmed at once, rounded down, at least 1.",
    )
    rate_per_minute: Annotated[int | None, BeforeValidator(none_yet("ratePerMinute"))] = Field(
        default=None, description="Only null is built yet."
    )
    device_timeout: Duration = Field(
        default="10m", description="How long one device may take before it counts as timed out."
    )
    window: Annotated[None, BeforeValidator(none_yet("a maintenance window"))] = Field(
        default=None, description="Only null is built yet."
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
        default_factory=Strategy, description="How a new revision reaches the devices."
    )


class Deployment(Resource):
    """A model that a selection of devices runs."""

    kind: Literal["Deployment"] = Field(description="The kind.")
    spec: DeploymentSpec = Field(description="Which model, which devices, and how.")
