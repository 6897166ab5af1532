"""The laws of the core under any order of events, repeated answers, crashes and restarts."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from shoal.agent.core.effects import Answered, Observe, Remove, Survey
from shoal.agent.core.lives import State
from shoal.contract.assignment import Assignment
from shoal.contract.reason import Reason
from tests.unit.agent_core.builders import an_assignment
from tests.unit.agent_core.world import ENGINE_WORK, World

DEPLOYMENTS = ("default/digits", "default/words")
VARIANTS = ("a", "b", "c")
FAILURES = (
    Reason.UNREACHABLE,
    Reason.DIGEST_MISMATCH,
    Reason.DISK_FULL,
    Reason.PARITY_FAILED,
    Reason.LOAD_FAILED,
    Reason.TIMED_OUT,
    Reason.INTERNAL,
)


class Device(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.wanted: dict[str, Assignment] = {}

    @rule(
        deployment=st.sampled_from(DEPLOYMENTS),
        variant=st.sampled_from(VARIANTS),
        ahead=st.integers(-2, 3),
        golden=st.booleans(),
    )
    def assigned(self, deployment: str, variant: str, ahead: int, *, golden: bool) -> None:
        present = self.wanted.get(deployment)
        generation = max(1, (0 if present is None else present.generation) + ahead)
        assignment = an_assignment(
            variant, generation=generation, deployment=deployment, golden=golden
        )
        if present is None or generation > present.generation:
            self.wanted[deployment] = assignment
            self.world.assign(*self.wanted.values())
        else:  # a late or forged copy: never accepted (I4)
            self.world.assign(*({**self.wanted, deployment: assignment}).values())

    @rule(deployment=st.sampled_from(DEPLOYMENTS))
    def unassigned(self, deployment: str) -> None:
        self.wanted.pop(deployment, None)
        self.world.assign(*self.wanted.values())

    @precondition(lambda self: self.world.pending)
    @rule(data=st.data())
    def succeeds(self, data: st.DataObject) -> None:
        self.world.succeed(data.draw(st.sampled_from(self._in_turn())))

    @precondition(lambda self: self._may_fail())
    @rule(data=st.data(), reason=st.sampled_from(FAILURES))
    def fails(self, data: st.DataObject, reason: Reason) -> None:
        self.world.fail(data.draw(st.sampled_from(self._may_fail())), reason)

    @precondition(lambda self: self.world.fed)
    @rule(data=st.data())
    def repeated(self, data: st.DataObject) -> None:
        self.world.feed(data.draw(st.sampled_from(self.world.fed[-20:])))

    @rule(seconds=st.sampled_from((-50.0, 0.5, 5.0, 100.0)))
    def time_passes(self, seconds: float) -> None:
        self.world.now += seconds

    @rule(data=st.data())
    def the_engine_dies(self, data: st.DataObject) -> None:
        told = data.draw(st.booleans())
        asked = [one for one in self._may_fail() if isinstance(one, (*ENGINE_WORK, Observe))]
        if asked and told:
            self.world.fail(data.draw(st.sampled_from(asked)), Reason.CRASHED)
        self.world.engine_dies()

    @rule()
    def the_agent_dies(self) -> None:
        self.world.agent_dies()

    def _in_turn(self) -> list[Answered]:
        """Engine work is done in the order in which it was asked for, all else in any order."""
        engine = [one for one in self.world.pending if isinstance(one, ENGINE_WORK)]
        return [*engine[:1], *(one for one in self.world.pending if one not in engine)]

    def _may_fail(self) -> list[Answered]:
        return [one for one in self._in_turn() if not isinstance(one, Survey | Remove)]

    def teardown(self) -> None:
        """I6: once faults stop, what is desired is what is observed."""
        world = self.world
        world.assign(*self.wanted.values())
        world.settle()
        assert {life.deployment for life in world.context.lives} == set(self.wanted)
        for life in world.context.lives:
            wanted = self.wanted[life.deployment]
            assert life.assignment == wanted
            assert life.state.phase is not None
            assert life.state.phase.terminal
            if life.state is State.CONFIRMED and life.active is not None:
                assert life.active.variant == wanted.variant
            serving = None if life.active is None else life.active.loaded_as
            assert world.engine.get(life.deployment) == serving
            assert world.links.get(life.deployment, (None, None)) == (
                life.active and life.active.variant,
                life.previous and life.previous.variant,
            )
            if life.active is not None:
                assert life.active.variant in world.disk  # I2


TestDevice = Device.TestCase
TestDevice.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
