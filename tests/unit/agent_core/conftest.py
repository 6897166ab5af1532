"""Devices at the start of a test."""

import pytest

from tests.unit.agent_core.asking import a_serving_world
from tests.unit.agent_core.world import World


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def serving() -> World:
    """A device on which generation 1, variant a, is confirmed."""
    return a_serving_world()
