"""What went wrong on devices: counts with a limit, first incidents as a test, and hard stops.

An incident is a restart of the engine, a local rollback, a long silence, or answers unlike those of
the other devices. Only a device's first one counts. Devices that had one shortly before the rollout
are left out of both sides, by that rule alone: nobody chose them after looking.
"""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from shoal.contract.reason import Reason
from shoal.contract.report import Phase
from shoal.controller.domain.evidence import GateVerdict, Source, Verdict
from shoal.controller.domain.evidence import Scope as Whose
from shoal.controller.domain.gating import GateSpec, Metric
from shoal.controller.domain.incidents import Incident, IncidentKind
from shoal.controller.domain.outcomes import Outcome
from shoal.controller.gates import engine
from shoal.controller.gates import incidents as logrank
from shoal.controller.gates.engine import ALPHA_PASS, EPS
from shoal.controller.gates.incidents import Exposure
from shoal.controller.planning import naming
from shoal.controller.planning.judging import ballots
from shoal.controller.planning.judging.sides import Scene, runs_told
from shoal.controller.planning.view import Member

UNHEALTHY_S = 600.0  # an incident this shortly before the rollout leaves a device out
FAILED_STARTS = frozenset({Reason.LOAD_FAILED, Reason.CRASHED, Reason.BAD_SLOT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """A hard stop, in words that name the devices."""

    message: str


def count(scene: Scene, gate: GateSpec) -> GateVerdict:
    """A count of incidents on the updated devices against its limit; a crash loop adds up.

    It fails when exceeded and counts as passed at the end of the soak.
    """
    running = [one for one in scene.cohort.in_wave if runs_told(one)]
    if gate.metric is Metric.RESTARTS:
        counted = {one.name: _restarts(one) for one in running}
    else:
        counted = {one.name: int(failed_start(one)) for one in scene.enrolled}
    number = sum(counted.values())
    verdict = Verdict.INCONCLUSIVE
    if number > gate.limit:
        verdict = Verdict.FAIL
    elif scene.cohort.progress.finished_at is not None and running:
        verdict = Verdict.PASS
    return GateVerdict(
        metric=gate.metric,
        cohort=scene.cohort.id,
        verdict=verdict,
        value=float(number),
        limit=gate.limit,
        samples=len(running),
        message=_counted(counted, gate),
        gate=gate.key,
        source=Source.COUNT,
        bound=gate.kind,
        scope=Whose(enrolled=len(scene.enrolled), devices=len(running)),
    )


def _counted(counted: Mapping[str, int], gate: GateSpec) -> str:
    """How many there were of how many devices, and on which: `2 on small-3, of 20 devices`."""
    struck = naming.listed([name for name, number in counted.items() if number])
    where = f" on {struck}, of" if struck else " on"
    devices = naming.counted(len(counted), "device")
    return f"{sum(counted.values())}{where} {devices} (limit {gate.limit:g})"


def judge(scene: Scene, gate: GateSpec, alpha: float) -> GateVerdict:
    """First incidents of updated devices against those not updated: a safe logrank test."""
    exposures = exposures_of(scene)
    found = logrank.evidence(exposures, gate.limit)
    verdict = Verdict.INCONCLUSIVE
    if scene.decides and found.log_e_fail_robust >= -math.log(alpha):
        verdict = Verdict.FAIL
    elif scene.decides and found.log_e_pass >= -math.log(ALPHA_PASS):
        verdict = Verdict.PASS
    candidates = sum(one.candidate for one in exposures)
    text = (
        f"{found.candidate_events} of {candidates} updated devices had an incident, and"
        f" {found.events - found.candidate_events} of {len(exposures) - candidates} while not"
        f" updated (limit {gate.limit:g}x); evidence {_power(found.log_e_fail_robust)} against"
        f" {_power(-math.log(alpha))} needed"
    )
    return GateVerdict(
        metric=gate.metric,
        cohort=scene.cohort.id,
        verdict=verdict,
        value=float(found.candidate_events),
        baseline=float(found.events - found.candidate_events),
        limit=gate.limit,
        samples=found.events,
        advisory=not scene.decides,
        message=text if scene.decides else f"advisory: {text}",
        gate=gate.key,
        source=Source.INCIDENTS,
        bound=gate.kind,
        alpha=alpha,
        scope=Whose(
            enrolled=len(scene.enrolled), devices=candidates, baseline=len(exposures) - candidates
        ),
    )


def hard_stops(scene: Scene) -> list[Stop]:
    """Rules of safety, no tests (design: section 6.5; gates.md section 4).

    Under 8 devices on either side: a failed start, a local rollback, or two first incidents more
    than among devices not updated. From 8 on: g + 2 incidents with none among those, g = 5 % of the
    updated rounded up. Of 20 updated ones: 1 + 2. What a device had before it was updated counts
    among those not updated.
    """
    updated = scene.enrolled
    odd = set(ballots.odd(scene.cohort.progress.ballots))
    kinds = _telling(scene)
    pardoned = set(scene.cohort.progress.pardoned)
    incidents = [one for one in _struck(scene, odd, kinds) if one.name not in pardoned]
    elsewhere = sum(bool(_before(scene, one, kinds)) for one in scene.cohort.members)
    if not scene.large:
        started = [one for one in scene.cohort.failures if failed_start(one)]
        if started:
            reason = started[0].state.reason
            return [Stop(message=f"{_names(started)} failed to run it ({reason})")]
        too_many = len(incidents) >= elsewhere + 2
    else:
        too_many = elsewhere == 0 and len(incidents) >= engine.extremes(len(updated), EPS) + 2
    if not too_many:
        return []
    text = f"{_names(incidents)} had incidents, against {elsewhere} of those not updated"
    if differing := sorted(odd & {one.name for one in incidents}):
        text += f"; {naming.listed(differing)} answered the golden set unlike the others"
    return [Stop(message=text)]


def struck(scene: Scene) -> tuple[str, ...]:
    """The updated devices that had an incident, by name: those that a promote pardons."""
    odd = set(ballots.odd(scene.cohort.progress.ballots))
    return tuple(sorted(one.name for one in _struck(scene, odd, _telling(scene))))


def _struck(
    scene: Scene, odd: Collection[str], kinds: Collection[IncidentKind]
) -> Iterator[Member]:
    return (one for one in scene.enrolled if _went_wrong(scene, one, kinds) or one.name in odd)


def failed_start(member: Member) -> bool:
    """Whether the device could not run the candidate, or went back by itself."""
    report = member.device.report
    local = report is not None and report.phase is Phase.LOCAL_ROLLBACK
    return member.outcome is Outcome.FAILED and (local or member.state.reason in FAILED_STARTS)


def exposures_of(scene: Scene) -> list[Exposure]:
    """How long each device was watched on each side, in seconds since the rollout's start.

    A device told at 60 s was a device not updated until then, and is an updated one from its
    switch on.
    """
    start, now = scene.view.record.going.started_at, scene.view.now
    healthy = [one for one in scene.cohort.members if not _was_unhealthy(one, start)]
    odd = ballots.odd(scene.cohort.progress.ballots)
    found = []
    for member in healthy:
        switched = _switched_at(member, start)
        until = now if switched is None else max(start, switched)
        first = _first_incident(member, start, switched if member.name in odd else None)
        found.append(_exposure(member, (start, until), first, candidate=False))
        if switched is not None:
            span = (max(start, switched), max(now, switched))
            found.append(_exposure(member, span, first, candidate=True))
    return found


def _exposure(
    member: Member, span: tuple[float, float], first: float | None, *, candidate: bool
) -> Exposure:
    return Exposure(
        device=member.name, candidate=candidate, since=span[0], until=span[1], incident_at=first
    )


def _switched_at(member: Member, start: float) -> float | None:
    """When it was first seen running the candidate; one that fell back had it from its telling."""
    if runs_told(member):
        return max(start, member.device.switched_at)
    if member.known is not None and _fell_back(member):
        return max(start, member.known.since)
    return None


def _first_incident(member: Member, start: float, odd_since: float | None) -> float | None:
    """When it first went wrong; answers unlike the others' count from the switch on."""
    seen = [one.at for one in member.device.incidents if one.at >= start]
    if odd_since is not None:
        seen.append(odd_since)
    return min(seen, default=None)


def _was_unhealthy(member: Member, start: float) -> bool:
    return any(start - UNHEALTHY_S <= one.at < start for one in member.device.incidents)


def _telling(scene: Scene) -> frozenset[IncidentKind]:
    """The kinds of incidents that may speak against the candidate.

    A silence does only where it is more frequent among the updated: an outage of the site or of the
    controller, looks the same on all devices, and where no other side is left there is no telling.
    Silent are 5 of 7 updated and 1 of 8 others: they speak. 6 of 6 and 1 of 1: an outage.
    """
    silence = frozenset({IncidentKind.SILENCE})
    updated, others = scene.enrolled, scene.others
    ours = sum(_went_silent(scene, one) for one in updated)
    theirs = sum(bool(_before(scene, one, silence)) for one in others)
    speaks = ours * len(others) > theirs * len(updated)
    return frozenset(IncidentKind) if speaks else frozenset(IncidentKind) - silence


def _went_silent(scene: Scene, member: Member) -> bool:
    silence = frozenset({IncidentKind.SILENCE})
    return len(_since_start(scene, member, silence)) > len(_before(scene, member, silence))


def _went_wrong(scene: Scene, member: Member, kinds: Collection[IncidentKind]) -> bool:
    """Whether it had an incident with what it was told."""
    report, known = member.device.report, member.known
    if report is None or known is None or not _took_up(member):
        return False
    own = any(one.generation == known.generation for one in _since_start(scene, member, kinds))
    return own or report.restarts > 0 or report.phase is Phase.LOCAL_ROLLBACK


def _before(scene: Scene, member: Member, kinds: Collection[IncidentKind]) -> tuple[Incident, ...]:
    """Its incidents since the rollout began, with what it ran before."""
    seen = _since_start(scene, member, kinds)
    if member.known is None or not _took_up(member):
        return seen
    return tuple(one for one in seen if one.generation != member.known.generation)


def _since_start(
    scene: Scene, member: Member, kinds: Collection[IncidentKind]
) -> tuple[Incident, ...]:
    start = scene.view.record.going.started_at
    return tuple(one for one in member.device.incidents if one.at >= start and one.kind in kinds)


def _took_up(member: Member) -> bool:
    """Whether it reports of what it was told, whatever became of that."""
    report, known = member.device.report, member.known
    return (
        member.told
        and report is not None
        and known is not None
        and report.generation == known.generation
    )


def _fell_back(member: Member) -> bool:
    report = member.device.report
    return _took_up(member) and report is not None and report.phase is Phase.LOCAL_ROLLBACK


def _restarts(member: Member) -> int:
    return member.device.report.restarts if member.device.report else 0


def _power(log_e: float) -> str:
    """10 to the power of what: `10^1.3`."""
    return f"10^{log_e / math.log(10):.1f}"


def _names(members: Sequence[Member]) -> str:
    return naming.listed([one.name for one in members])
