"""What changed in a manifest is read field by field, and never as JSON."""

from typing import Any

import pytest

from shoal.cli import alterations

ERRORS = {"metric": "errorRate", "max": 0.01}
LATENCY = {"metric": "latency.p95", "maxRatio": 1.5}
CANARY = {"name": "canary", "size": "10%", "soak": "30s"}
ALL = {"name": "all", "size": "100%", "soak": "30s"}


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("50%", "20%", ["~ f: 50% -> 20%"]),
        (None, True, ["+ f: true"]),
        (3, None, ["- f: 3"]),
        ("sha256:" + "ab" * 32, "sha256:" + "cd" * 32, ["~ f: abababababab -> cdcdcdcdcdcd"]),
        ([ERRORS], [ERRORS, LATENCY], ["+ f[latency.p95]: {metric: latency.p95, maxRatio: 1.5}"]),
        (
            [CANARY, ALL],
            [{**CANARY, "size": "20%", "approval": "manual"}],
            [
                "~ f[canary].size: 10% -> 20%",
                "+ f[canary].approval: manual",
                "- f[all]: {name: all, size: 100%, soak: 30s}",
            ],
        ),
        (["a", "b"], ["b", "c", "d"], ["- f: a", "+ f: c", "+ f: d"]),
        (["a", "b"], ["b", "a"], ["~ f: [a, b] -> [b, a]"]),
        (["a", "a"], ["a"], ["~ f: [a, a] -> [a]"]),
        (
            [{"key": 1}, {"key": 2}],
            [{"key": 2}, {"key": 1}],
            ["~ f: [{key: 1}, {key: 2}] -> [{key: 2}, {key: 1}]"],
        ),
        ([], [ERRORS], ["+ f[errorRate]: {metric: errorRate, max: 0.01}"]),
        ({"a": None}, {"a": []}, ["+ f.a: []"]),
        (1, 1, []),
    ],
)
def test_a_change_is_told_by_what_came_went_or_is_another(
    before: Any, after: Any, told: list[str]
) -> None:
    assert list(alterations.lines("f", before, after)) == told
