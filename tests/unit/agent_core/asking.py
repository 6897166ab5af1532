"""Ways to bring a world to the point that a test is about."""

from typing import TypeVar

from shoal.agent.core.effects import Load, Restore
from shoal.agent.core.lives import State
from tests.unit.agent_core.builders import an_assignment
from tests.unit.agent_core.world import World

T = TypeVar("T")


def a_serving_world() -> World:
    """A device on which generation 1, variant a, is confirmed."""
    world = World()
    world.assign(an_assignment("a"))
    world.settle()
    return world


def only(world: World, kind: type[T]) -> T:
    found = [one for one in world.pending if isinstance(one, kind)]
    assert len(found) == 1, world.pending
    return found[0]


def until(world: World, kind: type[T]) -> T:
    """Answer everything well until an effect of this kind is asked for."""
    for _ in range(100):
        for one in world.pending:
            if isinstance(one, kind):
                return one
        world.succeed(world.pending[0])
    raise AssertionError(f"no {kind.__name__}")


def states(world: World) -> State:
    return world.life().state


def until_without_restore(world: World) -> Load:
    for _ in range(10):
        rest = [one for one in world.pending if not isinstance(one, Restore)]
        if isinstance(rest[0], Load):
            return rest[0]
        world.succeed(rest[0])
    raise AssertionError("no Load")
