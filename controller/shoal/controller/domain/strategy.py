"""How a deployment wants its devices changed: the strategy as numbers and closed sets.

The text of a manifest (percents, durations) is read here once, from the fully defaulted spec that
the API stores; planning never sees text. What admission refuses is refused here too, so that no
record written by hand makes the planner ignore a wish.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NewType

from shoal.contract import units, windows
from shoal.contract.problem import InvalidError, Problem
from shoal.contract.reason import Reason
from shoal.contract.windows import Window
from shoal.controller.domain.gating import GateSpec, gate_from_json
from shoal.controller.domain.selector import LabelSelector, selector_from_json


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
    """One wave: its cumulative size, and how long it is watched at least and at most.

    With a `selector` the size is that of the devices it picks, and no others join in this wave.
    """

    name: str
    size: Amount
    soak_s: float
    max_soak_s: float
    approval: Approval = Approval.AUTO
    selector: LabelSelector | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ramp:
    """How the rate grows with what has proved itself, as AWS IoT's exponential rate does."""

    start: int
    factor: float
    per_confirmed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """How many devices may be told in any one minute."""

    per_minute: int
    ramp: Ramp | None = None

    def after(self, confirmed: int) -> int:
        """The rate once so many devices have confirmed the revision.

        Start 2, factor 3, one step for every 10 confirmed, 20 a minute at most: 2 with 9 confirmed,
        6 with 10, 18 with 20, 20 with 30.
        """
        if self.ramp is None:
            return self.per_minute
        rate = float(self.ramp.start)
        for _ in range(confirmed // self.ramp.per_confirmed):
            rate *= self.ramp.factor
            if rate >= self.per_minute:
                break
        return min(int(rate), self.per_minute)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelBudget:
    """How many devices with the same value of a label may be unavailable at once."""

    label: str
    amount: Amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """Everything the planner obeys; seconds and shares."""

    waves: tuple[WaveSpec, ...] = ()
    gates: tuple[GateSpec, ...] = ()
    success_threshold_ppm: Ppm = Ppm(900_000)
    max_failures: Amount = Amount(share_ppm=Ppm(100_000))
    quorum_ppm: Ppm = Ppm(500_000)
    shadow_ppm: Ppm = Ppm(0)
    max_unavailable: Amount = Amount(share_ppm=Ppm(250_000))
    device_timeout_s: float = 600.0
    on_failure: Action = Action.ROLLBACK
    scope: Scope = Scope.DEPLOYMENT
    progress_deadline_s: float = 600.0
    on_deadline: OnDeadline = OnDeadline.HOLD
    max_unavailable_per: tuple[LabelBudget, ...] = ()
    max_devices: int | None = None
    rate: Rate | None = None
    window: Window | None = None
    verdicts_per: tuple[str, ...] = ()

    @property
    def labels(self) -> frozenset[str]:
        """The labels of devices that it asks for."""
        named = {one.label for one in self.max_unavailable_per}
        selectors = [one.selector for one in self.waves if one.selector is not None]
        return frozenset(named | {one.key for two in selectors for one in two.conditions})


def strategy_from_json(spec: Mapping[str, Any]) -> Strategy:
    """The strategy of a fully defaulted Deployment spec (contracts: section 4).

    Raises:
        InvalidError: a value cannot be read.
    """
    strategy = spec["strategy"]
    try:
        if not strategy["waves"]:
            raise ValueError("there is no wave")
        failure = strategy["onFailure"]
        return Strategy(
            waves=tuple(_wave(one) for one in strategy["waves"]),
            gates=tuple(gate_from_json(one) for one in strategy["gates"]),
            success_threshold_ppm=ppm_from_text(strategy["successThreshold"]),
            max_failures=amount_from_json(strategy["maxFailures"]),
            quorum_ppm=ppm_from_text(strategy["quorum"]),
            shadow_ppm=ppm_from_text(strategy.get("shadow") or "0%"),
            max_unavailable=amount_from_json(strategy["maxUnavailable"]),
            device_timeout_s=units.parse_duration_s(strategy["deviceTimeout"]),
            on_failure=Action(failure["action"]),
            scope=Scope(failure["scope"]),
            progress_deadline_s=units.parse_duration_s(strategy["progressDeadline"]),
            on_deadline=OnDeadline(strategy["onDeadline"]),
            max_unavailable_per=_label_budgets(strategy.get("maxUnavailablePer") or {}),
            max_devices=strategy.get("maxDevices"),
            rate=_rate(strategy),
            window=window_from_json(strategy.get("window")),
            verdicts_per=tuple(strategy.get("verdictsPer") or ()),
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


def window_from_json(window: Mapping[str, Any] | None) -> Window | None:
    """A maintenance window of a Deployment or a Device.

    Raises:
        ValueError: it would never open.
    """
    if window is None:
        return None
    return windows.checked(
        Window(
            cron=window["cron"],
            duration_s=units.parse_duration_s(window["duration"]),
            time_zone=window.get("timeZone") or "UTC",
        )
    )


def ppm_from_text(text: str) -> Ppm:
    """`90%` as parts of a million, so that 90 % of 10 is 9 and never 9.000000000000001.

    Only 0 % is nothing: a wave of `0.00001%` still has a canary.

    Raises:
        ValueError: not a percent.
    """
    share = units.parse_percent(text)
    return Ppm(max(round(share * WHOLE), 1 if share else 0))


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


def _wave(wave: Mapping[str, Any]) -> WaveSpec:
    soak_s = units.parse_duration_s(wave["soak"])
    selector = wave.get("selector")
    return WaveSpec(
        name=wave["name"],
        size=amount_from_json(wave["size"]),
        soak_s=soak_s,
        max_soak_s=max(soak_s, units.parse_duration_s(wave["maxSoak"])),
        approval=Approval(wave["approval"]),
        selector=None if selector is None else selector_from_json(selector),
    )


def _rate(strategy: Mapping[str, Any]) -> Rate | None:
    per_minute, ramp = strategy.get("ratePerMinute"), strategy.get("rateRamp")
    if per_minute is None:
        return None
    return Rate(
        per_minute=int(per_minute),
        ramp=ramp
        and Ramp(
            start=int(ramp["start"]),
            factor=float(ramp["factor"]),
            per_confirmed=int(ramp["perConfirmed"]),
        ),
    )


def _label_budgets(budgets: Mapping[str, str | int]) -> tuple[LabelBudget, ...]:
    return tuple(
        LabelBudget(label=label, amount=amount_from_json(amount))
        for label, amount in sorted(budgets.items())
    )
