"""What went wrong on a device and when, as the controller learned of it.

Devices report running totals; a history is what two reports in a row show to have happened between
them. Times are the controller's own: a device's clock may be anywhere.
"""

import enum
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from shoal.contract import jsonform
from shoal.contract.report import DeploymentReport, Phase

# A crash loop is one incident: none is noted again so soon after another of its kind.
APART_MS = 600_000
SILENCE_NOTED_MS = 20_000  # shorter gaps between two reports are nobody's loss
_KEPT = 16


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """One incident as it is kept; `silent_ms` is how long a silence lasted."""

    kind: IncidentKind
    generation: int
    at_ms: int
    silent_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """One deployment on one device: since when it runs what it runs, and what went wrong.

    `noted` holds the last incidents, oldest first.
    """

    deployment: str
    generation: int = 0
    switched_ms: int = 0
    noted: tuple[Noted, ...] = ()

    def incidents(self, lost_after_s: float) -> tuple[Incident, ...]:
        """Everything that counts as an incident where devices are lost after so long."""
        return tuple(
            Incident(kind=one.kind, generation=one.generation, at=one.at_ms / 1000)
            for one in self.noted
            if one.kind is not IncidentKind.SILENCE or one.silent_ms > lost_after_s * 1000
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When a report came, and how long after the one before; 0 for the first."""

    now_ms: int
    silent_ms: int = 0


def after(
    known: Iterable[History],
    before: Iterable[DeploymentReport],
    reports: Iterable[DeploymentReport],
    moment: Moment,
) -> tuple[History, ...]:
    """The histories once `reports` followed `before`; of deployments that are gone none is kept."""
    histories = {one.deployment: one for one in known}
    last = {one.deployment: one for one in before}
    return tuple(
        _after(
            histories.get(one.deployment, History(deployment=one.deployment)),
            last.get(one.deployment),
            one,
            moment,
        )
        for one in reports
    )


def histories_from_json(data: Iterable[Any] | None) -> tuple[History, ...]:
    """Histories as they are stored; none in observations of before there were any."""
    return tuple(jsonform.from_json(History, one) for one in data or ())


def _after(
    history: History, before: DeploymentReport | None, now: DeploymentReport, moment: Moment
) -> History:
    if now.running is not None and now.running_generation != history.generation:
        history = replace(history, generation=now.running_generation, switched_ms=moment.now_ms)
    for kind in _shown(before, now):
        history = _with(history, kind, moment)
    if moment.silent_ms >= SILENCE_NOTED_MS:
        history = _with(history, IncidentKind.SILENCE, moment)
    return history


def _shown(before: DeploymentReport | None, now: DeploymentReport) -> Iterable[IncidentKind]:
    """What happened between two reports: their totals differ, or the phase is a new one."""
    same = before is not None and before.generation == now.generation
    known = before.restarts if before is not None and same else 0
    if now.restarts > known:
        yield IncidentKind.RESTART
    fell_before = before is not None and same and before.phase is Phase.LOCAL_ROLLBACK
    if now.phase is Phase.LOCAL_ROLLBACK and not fell_before:
        yield IncidentKind.ROLLBACK


def _with(history: History, kind: IncidentKind, moment: Moment) -> History:
    silence = kind is IncidentKind.SILENCE
    same = [
        one for one in history.noted if (one.kind, one.generation) == (kind, history.generation)
    ]
    if same and not silence and moment.now_ms - same[-1].at_ms < APART_MS:
        return history
    noted = Noted(
        kind=kind,
        generation=history.generation,
        at_ms=moment.now_ms,
        silent_ms=moment.silent_ms if silence else 0,
    )
    return replace(history, noted=(*history.noted, noted)[-_KEPT:])
