"""The status of a Deployment: the rollout of now, its waves, cohorts and verdicts."""

from typing import Literal

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_pascal

from shoal.resources.base import Status, Told
from shoal.resources.statuses.gates import GateVerdict
from shoal.resources.statuses.shared import Condition, NearestVariant

Result = Literal["active", "held", "complete", "rolled-back", "aborted", "superseded", "failed"]
WaveResult = Literal["pending", "active", "complete", "skipped", "held", "failed"]


class OutcomeCounts(Told):
    """How many devices stand where with what they were last told; what is 0 is left out."""

    model_config = ConfigDict(alias_generator=to_pascal)

    pending: int = Field(default=0, description="Devices not told yet, or that have not answered.")
    fetching: int = Field(default=0, description="Devices that fetch the variant.")
    preflight: int = Field(default=0, description="Devices that check it before they switch.")
    soaking: int = Field(default=0, description="Devices that run it and are watched.")
    confirmed: int = Field(default=0, description="Devices that run it for good.")
    failed: int = Field(default=0, description="Devices on which it failed.")
    refused: int = Field(default=0, description="Devices that took none of the variants.")
    timed_out: int = Field(default=0, description="Devices that took longer than deviceTimeout.")
    unreachable: int = Field(default=0, description="Devices that are lost since they were told.")
    no_feasible_variant: int = Field(default=0, description="Devices that no variant fits.")
    superseded: int = Field(default=0, description="Devices that another order has overtaken.")


class DeploymentDevices(OutcomeCounts):
    """The devices of a deployment, in all and by outcome."""

    selected: int = Field(alias="selected", description="Devices that the deployment has.")
    reachable: int = Field(alias="reachable", description="Those of them that are not lost.")


class NoFeasibleVariant(Told):
    """Why a cohort gets no variant."""

    reason: str = Field(description="Why, for machines; empty where only the limits are missed.")
    nearest: list[NearestVariant] = Field(
        description="For each limit in the way, the variant that comes closest to it."
    )


class CohortContent(Told):
    """What a revision brings to one cohort."""

    name: str = Field(description="The profile's name, made distinct where two cohorts share it.")
    profile: str = Field(description="The DeviceProfile of its devices.")
    profile_class: str = Field(description="The class of its devices, which share variants.")
    variant: str | None = Field(description="The variant that they are to run; null: none fits.")
    fallbacks: list[str] = Field(
        description="Variants that come next, in this order, where devices refuse it."
    )
    no_feasible_variant: NoFeasibleVariant | None = Field(
        description="Why there is no variant; null where there is one."
    )


class Cohort(CohortContent):
    """Devices of the deployment that share a variant."""

    devices: int = Field(description="How many devices it has.")
    wave: int = Field(description="The wave it is in, counted from 0.")


class WaveProgress(Told):
    """One step of the rollout and what came of it."""

    name: str = Field(description="The wave's name in the spec.")
    devices: int = Field(description="Devices up to this wave, those of earlier waves included.")
    result: WaveResult = Field(description="How far it is; skipped: it had no devices.")
    start_time: str | None = Field(description="When it began, UTC; null: not yet.")
    soaked_until: str | None = Field(
        description="When the longest soak ends, UTC; null where nothing soaks."
    )
    counts: OutcomeCounts = Field(description="Where its devices stand, or stood at its end.")
    gates: list[GateVerdict] = Field(description="Each gate on each cohort and source.")
    promoted_by: str | None = Field(
        description="Who opened it by hand or let the rollout go on from it; null: nobody."
    )


class BlockedDevice(Told):
    """One device that did not take what it was told."""

    device: str = Field(description="The device.")
    outcome: Literal["Failed", "Refused", "TimedOut", "NoFeasibleVariant"] = Field(
        description="What became of it."
    )
    reason: str = Field(description="Why, as a short CamelCase word for machines.")
    message: str = Field(description="Why, in a sentence for people.")


class QuarantinedVariant(Told):
    """A variant that failed in a cohort and is not chosen there again until it is lifted."""

    cohort: str = Field(description="Where it failed, as status.cohorts names it.")
    digest: str = Field(description="The variant.")
    revision: int = Field(description="The revision that it failed in.")
    reason: str = Field(description="What for, as a short CamelCase word for machines.")
    message: str = Field(description="What for, in a sentence for people.")
    since: str = Field(description="When it failed, UTC.")
    lifted_by: str | None = Field(description="Who lifted it; null: it holds.")
    lifted_at: str | None = Field(description="When it was lifted, UTC; null: it holds.")


class GivenUp(Told):
    """The revision that was asked for and taken back."""

    revision: int = Field(description="Its number.")
    result: Result = Field(description="What became of it: rolled-back, aborted or failed.")
    reason: str = Field(description="Why, as a short CamelCase word for machines.")
    message: str = Field(description="Why, in a sentence for people.")


class Revision(Told):
    """One revision of a Deployment and what became of it: an entry of its history."""

    number: int = Field(description="Counted by the deployment, from 1.")
    model: str = Field(description="The Model that it brings.")
    model_revision: int = Field(description="The revision of that Model.")
    origin: Literal["spec", "model", "undo", "rollback"] = Field(
        description="What started it: a changed spec, a new revision of the Model, or a way back."
    )
    by: str | None = Field(description="Who started it; null: Shoal did.")
    source: int | None = Field(description="The revision that it goes back to; null: none.")
    result: Result = Field(description="What became of it.")
    reason: str = Field(description="Why, as a short CamelCase word for machines.")
    message: str = Field(description="Why, in a sentence for people.")
    start_time: str = Field(description="When it began, UTC.")
    end_time: str | None = Field(description="When it ended, UTC; null: it has not.")
    cohorts: list[CohortContent] = Field(description="What it brings to each cohort.")
    waves: list[WaveProgress] = Field(description="Its waves, in order.")


class DeploymentStatus(Status):
    """Where the newest rollout stands."""

    observed_generation: int | None = Field(
        default=None, description="The generation of the spec that this status speaks of."
    )
    revision: int | None = Field(
        default=None, description="The rollout's revision, counted by the deployment; 0: none yet."
    )
    model_revision: int | None = Field(
        default=None, description="The revision of the Model that it brings; 0: none yet."
    )
    taken_model_revision: int | None = Field(
        default=None,
        description="The newest revision of the Model that was rolled out or passed over, as by an "
        "undo: a newer one rolls out as soon as it is ready; 0: none yet.",
    )
    result: Result | None = Field(
        default=None, description="What became of what was asked for; null before the first."
    )
    reason: str | None = Field(
        default=None, description="Why it holds, waits or ended, for machines; empty while it runs."
    )
    message: str | None = Field(default=None, description="The same in a sentence for people.")
    given_up: GivenUp | None = Field(
        default=None, description="The revision that was taken back; null where none was."
    )
    paused: bool | None = Field(default=None, description="Whether an operator paused it.")
    following: bool | None = Field(
        default=None,
        description="Whether new revisions of the Model roll out; false where pinned or undone.",
    )
    devices: DeploymentDevices | None = Field(
        default=None, description="How many devices there are, and where they stand."
    )
    cohorts: list[Cohort] = Field(
        default_factory=list, description="Groups of devices that share a variant."
    )
    wave: int | None = Field(default=None, description="The wave going on, counted from 0.")
    waves: list[WaveProgress] = Field(
        default_factory=list, description="Every wave of this revision, in order."
    )
    blocked: list[BlockedDevice] = Field(
        default_factory=list, description="Devices that went wrong, by name; the first 50."
    )
    quarantine: list[QuarantinedVariant] = Field(
        default_factory=list, description="Variants that failed, also those lifted since."
    )
    conditions: list[Condition] = Field(
        default_factory=list,
        description="Progressing, Available, Degraded, Following and Conflict (with another "
        "deployment of the same model name).",
    )
