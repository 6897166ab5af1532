"""How a gate's alpha is spent, so that a whole rollout never spends more of it (gates.md 5, 8.11).

The cohorts of the start share nine tenths of it evenly. Whatever begins later, a cohort that joins
or one that falls to its next variant, is one more candidate that may fail falsely: it takes its
turn at the tenth that was set aside, the k-th of them a share of 1/(k (k+1)). These shares add up
to less than one however many come, and in whatever order.
"""

RESERVE = 0.1  # a small share costs little: a tenth of alpha asks for less than twice the data


def share(cohorts: int, turn: int) -> float:
    """The share of alpha for one of `cohorts` at the start, or for the `turn`-th that came later.

    Three cohorts: 0.3 each. The first that joins gets 0.1/2 = 0.05, the second 0.1/6: 0.967 of all.
    """
    if turn == 0:
        return (1 - RESERVE) / max(cohorts, 1)
    return RESERVE / (turn * (turn + 1))
