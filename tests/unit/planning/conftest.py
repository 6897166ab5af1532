"""The planner's tests build their worlds through `make`, so that a world may miss a guard."""

import pytest

from tests.unit.planning.worlds import Make, World


@pytest.fixture
def make() -> Make:
    return World
