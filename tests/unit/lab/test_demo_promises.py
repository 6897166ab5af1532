"""What the demo says when it did not go as it promises."""

import pytest

from shoal.lab import demo

GOOD = ("complete", "rolled-back", "complete", "complete")


@pytest.mark.parametrize(
    ("results", "dropped", "said"),
    [
        (GOOD, 0, []),
        (GOOD, 1, ["1 request was dropped"]),
        (GOOD, 48, ["48 requests were dropped"]),
        (
            ("complete", "held"),
            2,
            [
                "the rollouts ended complete, held, not complete, rolled-back, complete, complete",
                "2 requests were dropped",
            ],
        ),
    ],
)
def test_everything_that_fell_short_is_said(
    results: tuple[str, ...], dropped: int, said: list[str]
) -> None:
    rollouts = [{"result": one} for one in results]
    told = {"rollouts": rollouts, "telemetry": {"dropped": dropped}}
    assert demo.shortcomings(told) == said
