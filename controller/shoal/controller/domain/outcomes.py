"""How one device stands with what it was last told (design: section 6 point 2)."""

import enum
from dataclasses import dataclass


class Outcome(enum.StrEnum):
    """A device is in exactly one of these; each threshold names which it counts."""

    PENDING = "Pending"
    FETCHING = "Fetching"
    PREFLIGHT = "Preflight"
    SOAKING = "Soaking"
    CONFIRMED = "Confirmed"
    FAILED = "Failed"
    REFUSED = "Refused"
    TIMED_OUT = "TimedOut"
    UNREACHABLE = "Unreachable"
    NO_FEASIBLE_VARIANT = "NoFeasibleVariant"
    SUPERSEDED = "Superseded"

    @property
    def failure(self) -> bool:
        """Counted by maxFailures; a refusal counts only when there is nothing left to fall to."""
        return self in {Outcome.FAILED, Outcome.TIMED_OUT, Outcome.REFUSED}

    @property
    def finished(self) -> bool:
        """Nothing more is expected from it under this generation."""
        return self is Outcome.CONFIRMED or self.failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How many devices have one outcome."""

    outcome: Outcome
    devices: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocked:
    """One device that went wrong, and why."""

    device: str
    outcome: Outcome
    reason: str
    message: str
