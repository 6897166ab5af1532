"""Budgets of a strategy that no rollout could ever be carried out within: refused at admission."""

from collections.abc import Iterator

from shoal.contract import units
from shoal.contract.problem import Problem
from shoal.contract.reason import Reason
from shoal.resources.deployment import Strategy


def problems(strategy: Strategy) -> Iterator[Problem]:
    """Every budget that would starve the rollout; windows are read where they are written."""
    yield from _unavailable(strategy)
    yield from _pace(strategy)
    for field, text in (
        ("deviceTimeout", strategy.device_timeout),
        ("progressDeadline", strategy.progress_deadline),
    ):
        if units.parse_duration_s(text) == 0:
            yield _invalid(field, f"{field} 0 ends every rollout at once")


def _unavailable(strategy: Strategy) -> Iterator[Problem]:
    if _nothing(strategy.max_unavailable):
        yield _invalid(
            "maxUnavailable",
            "with maxUnavailable 0 no device could ever be switched",
            "write 1 or more",
        )
    for label, amount in strategy.max_unavailable_per.items():
        if _nothing(amount):
            yield _invalid(
                f"maxUnavailablePer.{label}",
                f"with 0 for {label} no device with this label could ever be switched",
                "write 1 or more",
            )


def _pace(strategy: Strategy) -> Iterator[Problem]:
    ramp, rate = strategy.rate_ramp, strategy.rate_per_minute
    if ramp is None:
        return
    if rate is None:
        yield _invalid("rateRamp", "a ramp needs a rate to grow to", "give ratePerMinute as well")
    elif ramp.start > rate:
        yield _invalid("rateRamp.start", f"it starts beyond ratePerMinute {rate}")


def _nothing(amount: int | str) -> bool:
    return amount == 0 if isinstance(amount, int) else units.parse_percent(amount) == 0


def _invalid(field: str, message: str, hint: str = "") -> Problem:
    return Problem(
        reason=Reason.INVALID,
        message=message,
        field=f"spec.strategy.{field}",
        hint=hint or None,
    )
