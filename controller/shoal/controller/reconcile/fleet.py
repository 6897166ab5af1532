"""The devices of a namespace, read from the cache: labels, profile, class and reach."""

from collections.abc import Iterable
from dataclasses import dataclass

from shoal.contract import jsonform
from shoal.contract.profile import ClassProfile, class_profile
from shoal.contract.report import DeploymentReport, DeviceReport
from shoal.controller.domain import standing
from shoal.controller.domain.fleet import CohortKey, DeviceView, Reach
from shoal.controller.domain.standing import Standing
from shoal.controller.reconcile.cache import Cache
from shoal.controller.reconcile.selection import MatchedProfile, matches, profile_of
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
    standing: Standing

    def reach(self, cadence: Cadence, now_s: float) -> Reach:
        """How recently it was heard."""
        if self.last_seen_s is None or now_s - self.last_seen_s > cadence.lost_after_s:
            return Reach.LOST
        late = now_s - self.last_seen_s > cadence.late_after_s
        return Reach.LATE if late else Reach.REACHABLE

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

    def cohort(self) -> CohortKey | None:
        """The devices it shares a variant with, for any deployment."""
        if self.profile_class is None:
            return None
        return CohortKey(
            profile_class=self.profile_class.name,
            budget=self.profile.budget,
            profile=self.profile.name,
        )

    def report_of(self, deployment: str) -> DeploymentReport | None:
        """What it last said of one deployment."""
        reports = self.report.deployments if self.report else ()
        return next((one for one in reports if one.deployment == deployment), None)


def members(cache: Cache, namespace: str) -> list[Member]:
    """Every device of a namespace, in order of name."""
    profiles = [(r.name, r.data["spec"]) for r in cache.all("DeviceProfile", namespace)]
    return [member_of(cache, record, profiles) for record in cache.all("Device", namespace)]


def member_of(
    cache: Cache, record: Record, profiles: list[tuple[str, dict[str, object]]]
) -> Member:
    """One device with everything known of it."""
    labels = dict(record.data["metadata"].get("labels") or {})
    profile = profile_of(labels, profiles)
    observation = cache.get("Observation", record.namespace, record.name)
    report = cache.value(observation, _report) if observation else None
    return Member(
        name=record.name,
        namespace=record.namespace,
        labels=labels,
        profile=profile,
        profile_class=class_profile(report.hardware, profile.runtime) if report else None,
        report=report,
        last_seen_s=observation.data["last_seen_ms"] / 1000 if observation else None,
        standing=standing.of(record.data),
    )


def _report(observation: Record) -> DeviceReport:
    return jsonform.from_json(DeviceReport, observation.data["report"])


def selected(everyone: Iterable[Member], deployment: Record) -> list[Member]:
    """The members that a deployment's selector picks; never one that operators keep out."""
    selector = deployment.data["spec"].get("selector")
    return [one for one in everyone if one.standing.admitted and matches(selector, one.labels)]


def view(member: Member, deployment: str, reach: Reach, *, picked: bool) -> DeviceView:
    """The member as the planner sees it under one deployment."""
    report = member.report_of(deployment)
    return DeviceView(
        name=member.name,
        cohort=member.cohort(),
        reach=reach,
        ready=reach is not Reach.LOST and (report is None or report.running is not None),
        selected=picked,
        report=report,
    )
