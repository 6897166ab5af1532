"""How a deployment wants its devices changed: the strategy as numbers and closed sets.

The text of a manifest (percents, durations) is read here once, from the fully defaulted spec that
the API stores; planning never sees text. What admission refuses is refused here too, so that no
record written by hand makes the planner ignore a wish.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NewType

from shoal.contract import units
from shoal.contract.problem import InvalidError, Problem
from shoal.contract.reason import Reason
from shoal.controller.domain.gating import GateSpec, gate_from_json


class Action(enum.StrEnum):
    """What to do when a rollout fails."""

    ROLLBACK = "rollback"
    HOLD = "hold"


class Scope(enum.StrEnum):
    """How much a failure takes back."""

    DEPLOYMENT = "deployment"
    COHORT = "cohort"


class OnDeadline(enum.StrEnum):
    """What to do when nothing has moved for the progress deadline."""

    HOLD = "hold"
    ROLLBACK = "rollback"
    REPORT = "report"


class Approval(enum.StrEnum):
    """Who lets a wave begin."""

    AUTO = "auto"
    MANUAL = "manual"


Ppm = NewType("Ppm", int)  # a share in parts of a million: exact arithmetic, and it has a JSON form

WHOLE = Ppm(1_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """A share of something, or a count of it; exactly one of the two is set."""

    share_ppm: Ppm | None = None
    count: int | None = None

    def up(self, part: int, whole: int) -> int:
        """What this amount of `whole` is within `part` of it, rounded up: for wave sizes.

        10 % within 3 of 9 is 1, 50 % is 2; a count of 4 within 3 of 9 is ceil(4 * 3 / 9) = 2.
        """
        if self.share_ppm is not None:
            return _ceil_div(self.share_ppm * part, WHOLE)
        return min(_ceil_div((self.count or 0) * part, max(whole, 1)), part)

    def down(self, whole: int) -> int:
        """Rounded down, for limits: 10 % of 9 is 0, 25 % of 9 is 2."""
        if self.share_ppm is not None:
            return self.share_ppm * whole // WHOLE
        return min(self.count or 0, whole)


@dataclass(frozen=True, slots=True, kw_only=True)
class WaveSpec:
    """One wave: its cumulative size, and how long it is watched at least and at most."""

    name: str
    size: Amount
    soak_s: float
    max_soak_s: float
    approval: Approval = Approval.AUTO


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """Everything the planner obeys; seconds and shares."""

    waves: tuple[WaveSpec, ...] = ()
    gates: tuple[GateSpec, ...] = ()
    success_threshold_ppm: Ppm = Ppm(900_000)
    max_failures: Amount = Amount(share_ppm=Ppm(100_000))
    quorum_ppm: Ppm = Ppm(500_000)
    max_unavailable: Amount = Amount(share_ppm=Ppm(250_000))
    device_timeout_s: float = 600.0
    on_failure: Action = Action.ROLLBACK
    scope: Scope = Scope.DEPLOYMENT
    progress_deadline_s: float = 600.0
    on_deadline: OnDeadline = OnDeadline.HOLD


def strategy_from_json(spec: Mapping[str, Any]) -> Strategy:
    """The strategy of a fully defaulted Deployment spec (contracts: section 4).

    Raises:
        InvalidError: a value cannot be read, or is not built yet (a rate, a window, a selector).
    """
    strategy = spec["strategy"]
    for name in ("ratePerMinute", "window"):
        _absent(strategy.get(name), f"spec.strategy.{name}")
    try:
        if not strategy["waves"]:
            raise ValueError("there is no wave")
        failure = strategy["onFailure"]
        return Strategy(
            waves=tuple(_wave(one, i) for i, one in enumerate(strategy["waves"])),
            gates=tuple(gate_from_json(one) for one in strategy["gates"]),
            success_threshold_ppm=ppm_from_text(strategy["successThreshold"]),
            max_failures=amount_from_json(strategy["maxFailures"]),
            quorum_ppm=ppm_from_text(strategy["quorum"]),
            max_unavailable=amount_from_json(strategy["maxUnavailable"]),
            device_timeout_s=units.parse_duration_s(strategy["deviceTimeout"]),
            on_failure=Action(failure["action"]),
            scope=Scope(failure["scope"]),
            progress_deadline_s=units.parse_duration_s(strategy["progressDeadline"]),
            on_deadline=OnDeadline(strategy["onDeadline"]),
        )
    except (ValueError, KeyError) as error:
        raise InvalidError(
            Problem(
                reason=Reason.INVALID,
                message=f"the stored strategy cannot be read: {error}",
                field="spec.strategy",
                hint="apply the deployment again",
            )
        ) from error


def ppm_from_text(text: str) -> Ppm:
    """`90%` as parts of a million, so that 90 % of 10 is 9 and never 9.000000000000001.

    Raises:
        ValueError: not a percent.
    """
    return Ppm(round(units.parse_percent(text) * WHOLE))


def amount_from_json(value: str | int) -> Amount:
    """A percent as a share, a number as a count.

    Raises:
        ValueError: neither.
    """
    if isinstance(value, int):
        return Amount(count=value)
    if value.strip().isdigit():
        return Amount(count=int(value))
    return Amount(share_ppm=ppm_from_text(value))


def _ceil_div(part: int, whole: int) -> int:
    return -(-part // whole)


def _wave(wave: Mapping[str, Any], index: int) -> WaveSpec:
    _absent(wave.get("selector"), f"spec.strategy.waves[{index}].selector")
    soak_s = units.parse_duration_s(wave["soak"])
    return WaveSpec(
        name=wave["name"],
        size=amount_from_json(wave["size"]),
        soak_s=soak_s,
        max_soak_s=max(soak_s, units.parse_duration_s(wave["maxSoak"])),
        approval=Approval(wave["approval"]),
    )


def _absent(value: object, field: str) -> None:
    if value is not None:
        raise InvalidError(
            Problem(
                reason=Reason.NOT_BUILT_YET,
                message=f"{field.rsplit('.', 1)[-1]} is not built yet",
                field=field,
                hint="leave it out",
            )
        )
