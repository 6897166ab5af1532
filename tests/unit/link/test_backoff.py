"""Delays between attempts."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoal.agent.link.backoff import Backoff


class Highest(random.Random):
    """Always the upper end."""

    def uniform(self, _a: float, b: float) -> float:
        return b


def test_the_limits_of_the_worked_example() -> None:
    backoff = Backoff(Highest())
    assert [backoff.next_s() for _ in range(8)] == pytest.approx(
        [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10, 10]
    )
    backoff.reset()
    assert backoff.next_s() == pytest.approx(0.2)


@given(st.integers(0, 200), st.floats(0, 100), st.integers())
def test_a_delay_is_never_less_than_asked_for_nor_more_than_the_cap_beyond(
    failures: int, asked_s: float, seed: int
) -> None:
    backoff = Backoff(random.Random(seed))
    for _ in range(failures):
        backoff.next_s()
    assert asked_s <= backoff.next_s(asked_s) <= asked_s + 10.0
