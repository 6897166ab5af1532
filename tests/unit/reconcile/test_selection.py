"""Selectors and profiles: which devices, and which one profile each has."""

from typing import Any

import pytest

from shoal.contract.budget import Budget
from shoal.controller.reconcile.selection import DEFAULT_PROFILE, matches, profile_of

LABELS = {"app": "reader", "tier": "small"}


@pytest.mark.parametrize(
    ("selector", "picked"),
    [
        (None, True),
        ({}, True),
        ({"matchLabels": {"app": "reader"}}, True),
        ({"matchLabels": {"app": "writer"}}, False),
        ({"matchLabels": {"absent": "x"}}, False),
        ({"matchExpressions": [{"key": "tier", "operator": "In", "values": ["small"]}]}, True),
        ({"matchExpressions": [{"key": "tier", "operator": "In", "values": ["big"]}]}, False),
        ({"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["big"]}]}, True),
        ({"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["small"]}]}, False),
        ({"matchExpressions": [{"key": "absent", "operator": "NotIn", "values": ["x"]}]}, True),
        ({"matchExpressions": [{"key": "tier", "operator": "Exists"}]}, True),
        ({"matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]}, False),
        ({"matchExpressions": [{"key": "absent", "operator": "DoesNotExist"}]}, True),
    ],
)
def test_a_selector_picks_as_kubernetes_does(
    selector: dict[str, object],
    picked: bool,  # noqa: FBT001 - a parameter of the table above
) -> None:
    assert matches(selector, LABELS) is picked


def test_a_device_without_a_matching_profile_has_the_default_one() -> None:
    profile = profile_of(LABELS, [("other", {"selector": {"matchLabels": {"app": "x"}}})])
    assert profile.name == DEFAULT_PROFILE
    assert profile.budget == Budget()


def test_the_highest_priority_wins_then_the_first_name() -> None:
    everyone: dict[str, Any] = {"selector": {}}
    profiles = [("b", everyone), ("a", everyone), ("low", {**everyone, "priority": -1})]
    assert profile_of(LABELS, profiles).name == "a"
    assert profile_of(LABELS, [*profiles, ("z", {**everyone, "priority": 5})]).name == "z"


def test_budget_and_runtime_are_read_from_their_text() -> None:
    spec = {
        "selector": {},
        "budget": {"artifact": "24KiB", "memory": "32MiB", "latency": {"p95": "5ms"}},
        "runtime": {"engines": ["onnxruntime"], "threads": 2, "precisions": ["int8"]},
    }
    profile = profile_of(LABELS, [("small", spec)])
    assert profile.budget == Budget(
        artifact_bytes=24_576, memory_bytes=33_554_432, latency_p95_ms=5.0
    )
    assert (profile.runtime.threads, profile.runtime.precisions) == (2, ("int8",))
