"""A small fleet under the production planner, driven by hand: every test reads as a story.

`World.turn()` makes one pass and checks the laws that hold for every pass: a second one on the same
snapshot changes nothing, the record survives its JSON form, and generations only grow. Devices do
nothing by themselves; `confirm`, `refuse`, `fail`… say what they report next.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

import pytest

from shoal.contract.problem import ConflictError
from shoal.contract.report import DeploymentReport, GoldenAnswers, Phase
from shoal.controller.domain.archive import ModelView
from shoal.controller.domain.fleet import DeviceView, Reach
from shoal.controller.domain.live import LiveEvidence
from shoal.controller.domain.plan import Plan, Tell
from shoal.controller.domain.rollout import (
    RolloutRecord,
    Target,
    Verb,
    record_from_json,
    record_to_json,
)
from shoal.controller.domain.snapshot import Conflict, Snapshot
from shoal.controller.domain.strategy import Strategy
from shoal.controller.planning import planner, verbs
from tests.unit.planning.builders import GOLDEN, NAME, RIGHT, a_model, a_strategy, nine_devices


@dataclass
class World:
    """One deployment, its fleet, and a clock moved by hand."""

    fleet: list[DeviceView] = field(default_factory=nine_devices)
    strategy: Strategy = field(default_factory=a_strategy)
    models: tuple[ModelView, ...] = field(default_factory=lambda: (a_model(1),))
    guards: Sequence[planner.Guard] = planner.GUARDS
    now: float = 1_000.0
    generation: int = 1
    pinned: int | None = None
    deleted: bool = False
    conflict: Conflict | None = None
    live: LiveEvidence = field(default_factory=LiveEvidence)
    record: RolloutRecord = field(default_factory=lambda: RolloutRecord(deployment=NAME))
    plan: Plan = field(init=False)
    events: list[str] = field(default_factory=list)

    def snapshot(self) -> Snapshot:
        """The world at this moment."""
        return Snapshot(
            now=self.now,
            deployment=NAME,
            generation=self.generation,
            deleted=self.deleted,
            model="digits",
            pinned=self.pinned,
            strategy=self.strategy,
            models=self.models,
            devices=tuple(self.fleet),
            record=self.record,
            conflict=self.conflict,
            live=self.live,
        )

    def turn(self, seconds: float = 0.0) -> Plan:
        """One pass after so many seconds."""
        self.now += seconds
        before = {one.device: one.generation for one in self.record.devices}
        plan = planner.plan(self.snapshot(), self.guards)
        self.record = record_from_json(record_to_json(plan.record))
        assert self.record == plan.record
        again = planner.plan(self.snapshot(), self.guards)
        assert again.record == plan.record, "a second pass on the same snapshot changes the record"
        assert not again.events
        assert not again.tells
        assert not again.withdrawals
        for one in plan.tells:
            assert one.generation > before.get(one.device, 0), "generations only grow"
        self.plan = plan
        self.events += [one.reason for one in plan.events]
        return plan

    def ask(
        self,
        verb: Verb,
        *,
        to_revision: int | None = None,
        follow: bool = False,
        full: bool = False,
    ) -> None:
        """An operator's verb."""
        request = verbs.Request(verb=verb, to_revision=to_revision, follow=follow, full=full)
        self.record = verbs.apply(self.record, request, self.now)

    def publish(self) -> None:
        """The next model revision becomes ready."""
        self.models = (*self.models, a_model(len(self.models) + 1))

    def edit(self, **changes: object) -> None:
        """The operator applies another strategy."""
        self.strategy = replace(self.strategy, **changes)  # type: ignore[arg-type]
        self.generation += 1

    # what devices do

    def device(self, name: str) -> DeviceView:
        return next(one for one in self.fleet if one.name == name)

    def change(self, name: str, **changes: object) -> None:
        """Replace fields of a device."""
        self.fleet = [
            replace(one, **changes) if one.name == name else one  # type: ignore[arg-type]
            for one in self.fleet
        ]

    def lose(self, *names: str) -> None:
        for name in names:
            self.change(name, reach=Reach.LOST, ready=False)

    def find(self, *names: str) -> None:
        for name in names:
            self.change(name, reach=Reach.REACHABLE, ready=True)

    def report(self, name: str, phase: Phase, **changes: object) -> None:
        """What a device says of its newest assignment; until it switches, the old one runs."""
        tell = self.told(name)
        before = self.device(name).report
        report = DeploymentReport(
            deployment=NAME,
            generation=tell.generation,
            revision=tell.target.revision,
            phase=phase,
            variant=tell.target.variant,
            running=before.running if before else None,
            running_generation=before.running_generation if before else 0,
        )
        self.change(name, report=replace(report, **changes))  # type: ignore[arg-type]

    def soak(self, *names: str, answers: Sequence[int] = RIGHT, past: Sequence[int] = ()) -> None:
        """Devices switched and answered the golden set."""
        for name in names:
            tell = self.told(name)
            self.report(
                name,
                Phase.SOAKING,
                running=tell.target.variant,
                running_generation=tell.generation,
                golden=GoldenAnswers(golden=GOLDEN, candidate=tuple(answers), active=tuple(past)),
            )

    def confirm(self, *names: str, answers: Sequence[int] = RIGHT, **changes: object) -> None:
        """Devices run what they were told and soaked."""
        for name in names:
            tell = self.told(name)
            self.report(
                name,
                Phase.CONFIRMED,
                running=tell.target.variant,
                running_generation=tell.generation,
                golden=GoldenAnswers(golden=GOLDEN, candidate=tuple(answers), active=RIGHT),
                **changes,
            )

    def refuse(self, *names: str) -> None:
        for name in names:
            self.report(name, Phase.REFUSED, reason="LatencyExceeded", message="p95 9 ms")

    def fail(self, *names: str, reason: str = "FetchFailed") -> None:
        for name in names:
            self.report(name, Phase.FAILED, reason=reason, message="it broke")

    def roll_back_locally(self, name: str) -> None:
        self.report(name, Phase.LOCAL_ROLLBACK, running=None, running_generation=0)

    # what is seen of them

    def told(self, name: str) -> Tell:
        return next(one for one in self.plan.desired if one.device == name)

    def targets(self) -> dict[str, Target]:
        return {one.device: one.target for one in self.plan.desired}

    def on_revision(self, number: int) -> set[str]:
        """Devices that are told this revision."""
        return {name for name, one in self.targets().items() if one.revision == number}

    def fresh(self) -> list[str]:
        """Devices told in the last pass."""
        return sorted(one.device for one in self.plan.tells)

    @property
    def status(self) -> str:
        result = self.plan.status.result
        return result.value if result else ""

    @property
    def reason(self) -> str:
        return self.plan.status.reason

    # whole stretches

    def pending(self) -> list[str]:
        """Reachable devices that have not taken up what they were told."""
        return [
            one.device
            for one in self.plan.desired
            if not self.device(one.device).lost and not self._took_up(one)
        ]

    def _took_up(self, tell: Tell) -> bool:
        report = self.device(tell.device).report
        return report is not None and report.generation == tell.generation

    def finish(self, but: Iterable[str] = ()) -> None:
        """Turn until nothing moves, while every device told confirms."""
        self.turn()
        for _ in range(60):
            waiting = [one for one in self.pending() if one not in set(but)]
            if not waiting:
                return
            self.confirm(*waiting)
            self.turn(1.0)
        raise AssertionError("the rollout does not come to rest")

    def canaries(self) -> dict[str, str]:
        """The one device of each cohort that was told the current revision."""
        number = self.plan.status.revision
        return {one.rsplit("-", 1)[0]: one for one in sorted(self.on_revision(number))}


Make = Callable[..., World]


def refused(world: World, verb: Verb, *, to_revision: int | None = None) -> tuple[str, str]:
    """Reason and message of the refusal of a verb; there is always a next step."""
    with pytest.raises(ConflictError) as error:
        world.ask(verb, to_revision=to_revision)
    assert error.value.problem.hint
    return error.value.problem.reason, error.value.problem.message


def a_complete_world(make: Make, **changes: object) -> World:
    """Revision 1 is on all devices."""
    world = make(**changes)
    world.finish()
    assert world.status == "complete", (world.status, world.reason, world.plan.status.message)
    return world


def a_second_rollout(make: Make, **changes: object) -> World:
    """Revision 1 is complete, and the canaries of revision 2 were told."""
    world = a_complete_world(make, **changes)
    world.publish()
    world.turn(1.0)
    assert world.plan.status.revision == 2
    return world
