"""Which devices a selector picks, and which profile a device has."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shoal.contract import units
from shoal.contract.budget import Budget
from shoal.contract.profile import RuntimeChoice
from shoal.controller.domain.selector import selector_from_json

DEFAULT_PROFILE = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchedProfile:
    """The one profile of a device: its name, budget and runtime."""

    name: str
    budget: Budget
    runtime: RuntimeChoice


def matches(selector: Mapping[str, Any] | None, labels: Mapping[str, str]) -> bool:
    """Whether `labels` satisfy every part of `selector`; an empty selector picks everything."""
    return not selector or selector_from_json(selector).matches(labels)


def profile_of(
    labels: Mapping[str, str],
    profiles: Sequence[tuple[str, Mapping[str, Any]]],
    named: str | None = None,
) -> MatchedProfile:
    """The profile with the highest priority, then the first name, whose selector picks `labels`.

    `profiles` holds (name, spec). One that the device itself names goes before all selectors, as
    long as it exists. Without a match: the built-in `default` with no budget.
    """
    picked = [
        (-int(spec.get("priority", 0)), name, spec)
        for name, spec in profiles
        if matches(spec.get("selector"), labels)
    ]
    picked = [(0, name, spec) for name, spec in profiles if name == named] or picked
    if not picked:
        return MatchedProfile(name=DEFAULT_PROFILE, budget=Budget(), runtime=RuntimeChoice())
    _, name, spec = min(picked, key=lambda one: one[:2])
    return MatchedProfile(
        name=name,
        budget=budget_from_json(spec.get("budget") or {}),
        runtime=runtime_from_json(spec.get("runtime") or {}),
    )


def budget_from_json(spec: Mapping[str, Any]) -> Budget:
    """The budget of a DeviceProfile's spec."""
    latency = (spec.get("latency") or {}).get("p95")
    return Budget(
        artifact_bytes=_size(spec.get("artifact")),
        memory_bytes=_size(spec.get("memory")),
        latency_p95_ms=None if latency is None else units.parse_duration_s(latency) * 1000,
    )


def runtime_from_json(spec: Mapping[str, Any]) -> RuntimeChoice:
    """The runtime choice of a DeviceProfile's spec."""
    default = RuntimeChoice()
    return RuntimeChoice(
        engines=tuple(spec.get("engines") or default.engines),
        providers=tuple(spec.get("providers") or default.providers),
        threads=int(spec.get("threads") or default.threads),
        precisions=tuple(spec.get("precisions") or default.precisions),
    )


def _size(text: str | None) -> int | None:
    return None if text is None else units.parse_size_bytes(text)
