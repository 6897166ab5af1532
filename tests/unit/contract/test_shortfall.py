"""Missed constraints are told in the units people write."""

import pytest

from shoal.contract import shortfall


@pytest.mark.parametrize(
    ("constraint", "nearest", "limit", "text"),
    [
        ("memory_bytes", 11_206_656, 10_485_760, "memory is 10.7 MiB at best, the limit is 10 MiB"),
        ("artifact_bytes", 7484, 4096, "artifact is 7.31 KiB at best, the limit is 4 KiB"),
        ("latency_ms_p95", 2.5, 1, "p95 latency is 2.5 ms at best, the limit is 1 ms"),
        ("min_score", 0.9, 0.95, "score is 0.9000 at best, the floor is 0.9500"),
    ],
)
def test_a_missed_constraint_reads_as_a_sentence(
    constraint: str, nearest: float, limit: float, text: str
) -> None:
    assert shortfall.describe(constraint, nearest, limit) == text
