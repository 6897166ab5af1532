"""What went wrong on a device and when, as the controller learned of it."""

import enum
from dataclasses import dataclass


class IncidentKind(enum.StrEnum):
    """The kinds of incidents that gates count; each device's first one is the one that counts."""

    RESTART = "restart"
    ROLLBACK = "rollback"
    SILENCE = "silence"


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """One incident under one assignment generation; `at` is seconds since the epoch."""

    kind: IncidentKind
    generation: int
    at: float
