"""A rehearsal: the planner's own passes over a fleet in which everything goes well.

Every device that is told something confirms it after its soak; lost devices stay lost, approvals
are given at once and noted. Gates are left out, since nobody knows what devices will measure. What
still stands at the end stands because of a budget, a threshold or a window, and would in reality.
"""

import enum
from dataclasses import dataclass, field, replace

from shoal.contract.reason import Reason
from shoal.contract.report import DeploymentReport, Phase
from shoal.controller.domain.fleet import DeviceView
from shoal.controller.domain.plan import Plan, Tell
from shoal.controller.domain.revisions import Result
from shoal.controller.domain.rollout import RolloutRecord
from shoal.controller.domain.snapshot import Snapshot
from shoal.controller.planning import planner, verbs

DEVICE_TURNS = 150_000  # devices times passes, which take some 60 µs each on one core
_TURNS = 400  # passes; a rollout of ten waves under a tight maxUnavailable takes some fifty
_IDLE_TURNS = 70  # waits in a row: a window of every day may meet another of one day a month


class End(enum.StrEnum):
    """How a rehearsal ended."""

    COMPLETE = "complete"
    STANDS = "stands"
    NOT_FOLLOWED = "not-followed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """When a device is told what it gets, in seconds from now, and in which wave."""

    device: str
    wave: int
    after_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """The rollout waits although no device is busy: from when, for how long, and for what."""

    reason: str
    message: str
    after_s: float
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """What happens at best; `plan` is that of the last pass."""

    end: End
    seconds: float
    told: tuple[Told, ...]
    waits: tuple[Wait, ...]
    plan: Plan
    snapshot: Snapshot


@dataclass(slots=True)
class _Stage:
    """The fleet as the rehearsal goes on."""

    snapshot: Snapshot
    began: float
    told: dict[str, Told] = field(default_factory=dict)
    waits: list[Wait] = field(default_factory=list)
    idle: int = 0

    def note(self, plan: Plan) -> None:
        """Who was told what in this pass; the first telling counts."""
        after_s = self.snapshot.now - self.began
        for one in plan.tells:
            progress = plan.record.cohort(one.target.cohort)
            wave = max(progress.wave, 0) if progress else 0
            self.told.setdefault(one.device, Told(device=one.device, wave=wave, after_s=after_s))

    def busy(self, plan: Plan) -> list[Tell]:
        """Tellings that a reachable device has not taken up yet."""
        devices = {one.name: one for one in self.snapshot.devices}
        return [one for one in plan.desired if _is_busy(devices.get(one.device), one)]

    def confirm(self, tells: list[Tell]) -> None:
        """Let time pass until all of them run and have soaked."""
        told = {one.device: one for one in tells}
        devices = tuple(
            _confirmed(one, self.snapshot.deployment, told[one.name]) if one.name in told else one
            for one in self.snapshot.devices
        )
        now = self.snapshot.now + max(one.target.soak_s for one in tells)
        self.snapshot = replace(self.snapshot, devices=devices, now=now)
        self.idle = 0

    def wait(self, plan: Plan, until: float) -> None:
        """Nothing moves until then."""
        now, standing = self.snapshot.now, plan.record.waiting
        wait = Wait(
            reason=standing.reason if standing else "",
            message=standing.message if standing else "",
            after_s=now - self.began,
            seconds=until - now,
        )
        if self.idle and self.waits[-1].reason == wait.reason:
            before = self.waits.pop()
            wait = replace(before, seconds=before.seconds + wait.seconds)
        self.waits.append(wait)
        self.idle += 1
        self.snapshot = replace(self.snapshot, now=until)


def rehearse(snapshot: Snapshot, plan: Plan, device_turns: int) -> Rehearsal:
    """Play the rollout on from its next pass to its end, or to where it stands for ever.

    `device_turns` is what that may cost, as the number of devices times the number of passes.
    """
    bare = replace(snapshot.strategy, gates=())
    record = _without_gates(plan.record)
    stage = _Stage(snapshot=replace(snapshot, strategy=bare, record=record), began=snapshot.now)
    stage.note(plan)
    busy = stage.busy(plan)
    if busy:
        stage.confirm(busy)  # a second pass on what the first one saw tells nothing
    turns = min(_TURNS, max(3, device_turns // max(len(snapshot.devices), 1)))
    for _ in range(turns):
        plan = planner.plan(stage.snapshot)
        stage.note(plan)
        stage.snapshot = replace(stage.snapshot, record=plan.record)
        current = plan.record.current
        busy = stage.busy(plan)
        if busy:
            stage.confirm(busy)
        elif current is not None and current.result is Result.COMPLETE:
            return _ended(stage, plan, End.COMPLETE)
        elif _awaits_approval(plan):
            stage.wait(plan, stage.snapshot.now)
            approved = verbs.promote(plan.record, stage.snapshot.now)
            stage.snapshot = replace(stage.snapshot, record=approved)
        elif plan.wake_at is None or plan.record.hold is not None or stage.idle > _IDLE_TURNS:
            return _ended(stage, plan, End.STANDS)
        else:
            stage.wait(plan, plan.wake_at)
    return _ended(stage, plan, End.NOT_FOLLOWED)


def _ended(stage: _Stage, plan: Plan, end: End) -> Rehearsal:
    return Rehearsal(
        end=end,
        seconds=stage.snapshot.now - stage.began,
        told=tuple(stage.told[name] for name in sorted(stage.told)),
        waits=tuple(stage.waits),
        plan=plan,
        snapshot=stage.snapshot,
    )


def _without_gates(record: RolloutRecord) -> RolloutRecord:
    if record.current is None:
        return record
    content = record.current.content
    strategy = replace(content.strategy, gates=())
    cohorts = tuple(replace(one, verdicts=(), ballots=()) for one in record.cohorts)
    bare = record.with_current(content=replace(content, strategy=strategy))
    return replace(bare, cohorts=cohorts)


def _awaits_approval(plan: Plan) -> bool:
    waiting = plan.record.waiting
    return waiting is not None and waiting.reason == Reason.APPROVAL_MISSING


def _is_busy(device: DeviceView | None, tell: Tell) -> bool:
    if device is None or device.lost:
        return False
    return device.report is None or device.report.generation != tell.generation


def _confirmed(device: DeviceView, deployment: str, tell: Tell) -> DeviceView:
    report = DeploymentReport(
        deployment=deployment,
        generation=tell.generation,
        revision=tell.target.revision,
        phase=Phase.CONFIRMED,
        variant=tell.target.variant,
        running=tell.target.variant,
        running_generation=tell.generation,
        running_revision=tell.target.revision,
        running_model=tell.target.model,
    )
    return replace(device, ready=True, report=report)
