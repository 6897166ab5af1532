"""The devices of a namespace, read from the cache: labels, profile, class and reach."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from shoal.contract.profile import ClassProfile, class_profile
from shoal.contract.report import DeploymentReport, DeviceReport
from shoal.contract.windows import Window
from shoal.controller.domain import incidents, standing
from shoal.controller.domain.fleet import CohortKey, DeviceView, Reach
from shoal.controller.domain.incidents import History, Incident, IncidentKind
from shoal.controller.domain.selector import selector_from_json
from shoal.controller.domain.standing import Standing
from shoal.controller.domain.strategy import window_from_json
from shoal.controller.reconcile import tiers
from shoal.controller.reconcile.cache import Cache
from shoal.controller.reconcile.selection import MatchedProfile, profile_of
from shoal.controller.reconcile.world import Cadence
from shoal.controller.store.port import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One device; `report` and `profile_class` are None until it has spoken once."""

    name: str
    namespace: str
    labels: dict[str, str]
    profile: MatchedProfile
    profile_class: ClassProfile | None
    report: DeviceReport | None
    last_seen_s: float | None
    histories: tuple[History, ...]
    standing: Standing
    suspended: bool = False
    window: Window | None = None

    def reach(self, cadence: Cadence, now_s: float) -> Reach:
        """How recently it was heard."""
        return reach_of(self.last_seen_s, cadence, now_s)

    def lost_at(self, cadence: Cadence) -> float | None:
        """When silence would make a loss of it; None where it never spoke."""
        if self.last_seen_s is None:
            return None
        return self.last_seen_s + cadence.lost_after_s + 0.01

    def reach_changes_at(self, cadence: Cadence, now_s: float) -> float | None:
        """When silence would change its reach; None when it is lost already."""
        if self.last_seen_s is None:
            return None
        moments = (
            self.last_seen_s + cadence.late_after_s,
            self.last_seen_s + cadence.lost_after_s,
        )
        # A hair later, so that the comparison above has flipped by then.
        return next((moment + 0.01 for moment in moments if moment >= now_s), None)

    def cohort(self, apart: Sequence[str] = ()) -> CohortKey | None:
        """The devices it shares a variant and a verdict with: the same under the labels `apart`."""
        if self.profile_class is None:
            return None
        return CohortKey(
            profile_class=self.profile_class.name,
            budget=self.profile.budget,
            profile=self.profile.name,
            labels=tuple((label, self.labels.get(label, "")) for label in apart),
        )

    def report_of(self, deployment: str) -> DeploymentReport | None:
        """What it last said of one deployment."""
        reports = self.report.deployments if self.report else ()
        return next((one for one in reports if one.deployment == deployment), None)

    def history_of(self, deployment: str) -> History:
        """What happened to it under one deployment."""
        found = (one for one in self.histories if one.deployment == deployment)
        return next(found, History(deployment=deployment))


def reach_of(last_seen_s: float | None, cadence: Cadence, now_s: float) -> Reach:
    """How recently a device was heard that spoke last at `last_seen_s`, or never."""
    if last_seen_s is None or now_s - last_seen_s > cadence.lost_after_s:
        return Reach.LOST
    late = now_s - last_seen_s > cadence.late_after_s
    return Reach.LATE if late else Reach.REACHABLE


def members(cache: Cache, namespace: str) -> list[Member]:
    """Every device of a namespace, in order of name."""
    known = cache.all("DeviceProfile", namespace)
    profiles = [(r.name, r.data["spec"]) for r in known]
    # Their generation, not their version: how many devices they have changes no device.
    stamp = tuple((r.name, r.uid, r.data["metadata"].get("generation")) for r in known)

    def made(record: Record) -> Member:
        """The member, anew only where something of it has changed since the last pass."""
        observation = cache.get("Observation", record.namespace, record.name)
        seen = observation and observation.resource_version
        tier = tiers.place_of(cache, namespace, record.name)
        versions = (record.resource_version, seen, tier, stamp)
        return cache.derived(record, "member", versions, lambda: member_of(cache, record, profiles))

    return [made(record) for record in cache.all("Device", namespace)]


def member_of(
    cache: Cache, record: Record, profiles: list[tuple[str, dict[str, object]]]
) -> Member:
    """One device with everything known of it."""
    labels = dict(record.data["metadata"].get("labels") or {})
    spec = record.data.get("spec") or {}
    profile = profile_of(labels, profiles, spec.get("profile"))
    observation = cache.get("Observation", record.namespace, record.name)
    report = cache.value(observation, tiers.read_report) if observation else None
    return Member(
        name=record.name,
        namespace=record.namespace,
        labels=labels,
        profile=profile,
        profile_class=_class(cache, record, report, profile) if report else None,
        report=report,
        last_seen_s=observation.data["last_seen_ms"] / 1000 if observation else None,
        histories=incidents.histories_from_json(
            observation.data.get("histories") if observation else None
        ),
        standing=standing.of(record.data),
        suspended=bool(spec.get("suspended")),
        window=window_from_json(spec.get("maintenanceWindow")),
    )


def _class(
    cache: Cache, record: Record, report: DeviceReport, profile: MatchedProfile
) -> ClassProfile:
    place = tiers.place_of(cache, record.namespace, record.name)
    tier = tiers.speed_tier(place, report.hardware)
    return class_profile(report.hardware, profile.runtime, tier)


def selected(everyone: Iterable[Member], deployment: Record) -> list[Member]:
    """The members that a deployment's selector picks; never one that operators keep out."""
    selector = selector_from_json(deployment.data["spec"].get("selector"))
    return [one for one in everyone if one.standing.admitted and selector.matches(one.labels)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Angle:
    """From where one deployment looks at devices.

    `labels` are those that its strategies name; those `apart` make cohorts of their own. A device
    silent for longer than `lost_after_s` had an incident.
    """

    deployment: str
    lost_after_s: float
    labels: tuple[str, ...] = ()
    apart: tuple[str, ...] = ()


def view(member: Member, angle: Angle, reach: Reach, *, picked: bool) -> DeviceView:
    """The member as the planner sees it under one deployment."""
    report = member.report_of(angle.deployment)
    history = member.history_of(angle.deployment)
    return DeviceView(
        name=member.name,
        cohort=member.cohort(angle.apart),
        reach=reach,
        ready=reach is not Reach.LOST and (report is None or report.running is not None),
        selected=picked,
        report=report,
        labels=tuple((key, member.labels[key]) for key in angle.labels if key in member.labels),
        suspended=member.suspended,
        window=member.window,
        incidents=_incidents(member, history, angle.lost_after_s, reach),
        switched_at=history.switched_ms / 1000,
    )


def _incidents(
    member: Member, history: History, lost_after_s: float, reach: Reach
) -> tuple[Incident, ...]:
    """What went wrong; a silence that goes on began to count when it made a loss of the device."""
    found = history.incidents(lost_after_s)
    if reach is not Reach.LOST or member.last_seen_s is None:
        return found
    at = member.last_seen_s + lost_after_s
    silence = Incident(kind=IncidentKind.SILENCE, generation=history.generation, at=at)
    return (*found, silence)
