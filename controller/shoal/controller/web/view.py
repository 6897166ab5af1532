"""What the dashboard shows, read from resources and telemetry, ready to be printed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shoal.contract import digest as digests
from shoal.contract import units
from shoal.contract.digest import Digest
from shoal.controller.store.port import Record
from shoal.controller.web import pictures
from shoal.controller.web.pictures import Picture

_ROWS = 200  # devices on one page; a fleet beyond that is read with `shoal get devices`
_EVENTS = 12
_NONE = "–"  # noqa: RUF001 - what people read where nothing is known


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRow:
    """One device, or one deployment on it."""

    name: str
    profile: str
    link: str
    deployment: str
    variant: str
    revision: str
    phase: str
    reason: str
    ready: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRow:
    """One gate of one cohort, with the numbers that decided it."""

    metric: str
    source: str
    cohort: str
    verdict: str
    value: str
    baseline: str
    limit: str
    samples: int
    advisory: bool
    message: str
    picture: Picture | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WaveRow:
    """One wave; `counts` says how many devices are in which outcome."""

    name: str
    result: str
    promoted_by: str
    devices: int
    counts: tuple[tuple[str, int], ...]
    gates: tuple[GateRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortRow:
    """One cohort and what was chosen for it."""

    name: str
    devices: int
    variant: str
    size: str
    score: str
    p95: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineRow:
    """A variant that failed in a cohort, and why."""

    variant: str
    cohort: str
    revision: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutView:
    """One deployment's rollout."""

    key: str
    model: str
    revision: str
    result: str
    message: str
    paused: bool
    following: bool
    quarantine: tuple[QuarantineRow, ...]
    waves: tuple[WaveRow, ...]
    cohorts: tuple[CohortRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    """Something that happened."""

    time: str
    type: str
    reason: str
    regarding: str
    message: str
    count: int


def devices(records: Sequence[Record]) -> tuple[DeviceRow, ...]:
    """A row for each deployment on each of the first devices."""
    return tuple(row for record in records[:_ROWS] for row in _device(record))


def ready_count(records: Iterable[Record]) -> int:
    """How many devices are Ready."""
    return sum(_condition(record, "Ready") == "True" for record in records)


def rollouts(deployments: Iterable[Record], variants: Iterable[Record]) -> tuple[RolloutView, ...]:
    """Every deployment, with the measurements of the variants it chose."""
    measured = {
        record.data["status"]["digest"]: record.data["status"]
        for record in variants
        if (record.data.get("status") or {}).get("digest")
    }
    return tuple(_rollout(record, measured) for record in deployments)


def events(records: Iterable[Record]) -> tuple[EventRow, ...]:
    """The latest events, newest first."""
    specs = sorted((r.data["spec"] for r in records), key=lambda s: s["lastTime"], reverse=True)
    return tuple(
        EventRow(
            time=spec["lastTime"][11:19],
            type=spec["type"],
            reason=spec["reason"],
            regarding=spec["regarding"],
            message=spec["message"],
            count=spec["count"],
        )
        for spec in specs[:_EVENTS]
    )


def number(value: float | None, form: str = ".3g") -> str:
    """A number for people, or a dash."""
    return _NONE if value is None else format(value, form)


def percent(value: float | None) -> str:
    """A share for people, or a dash."""
    return _NONE if value is None else f"{100 * value:.1f} %"


def _device(record: Record) -> Iterable[DeviceRow]:
    status = record.data.get("status") or {}
    running = {one["deployment"]: one for one in status.get("running") or ()}
    outcomes = {one["deployment"]: one for one in status.get("outcomes") or ()}
    for deployment in sorted({*running, *outcomes}) or [""]:
        now, last = running.get(deployment, {}), outcomes.get(deployment, {})
        yield DeviceRow(
            name=record.name,
            profile=status.get("profile") or _NONE,
            link=status.get("link") or _NONE,
            deployment=deployment or _NONE,
            variant=_short(now.get("digest")),
            revision=str(now.get("revision", _NONE)),
            phase=last.get("phase") or _NONE,
            reason=last.get("reason") or last.get("message") or "",
            ready=_condition(record, "Ready"),
        )


def _rollout(record: Record, measured: Mapping[str, Mapping[str, Any]]) -> RolloutView:
    status = record.data.get("status") or {}
    model, revision = record.data["spec"]["model"], status.get("modelRevision")
    return RolloutView(
        key=f"{record.namespace}/{record.name}",
        model=f"{model}@{revision}" if revision and "@" not in model else model,
        revision=str(status.get("revision") or _NONE),
        result=status.get("result") or "pending",
        message=status.get("message") or "",
        paused=bool(status.get("paused")),
        following=bool(status.get("following", True)),
        quarantine=tuple(_quarantine(status.get("quarantine") or ())),
        waves=tuple(_wave(one) for one in status.get("waves") or ()),
        cohorts=tuple(_cohort(one, measured) for one in status.get("cohorts") or ()),
    )


def _quarantine(variants: Iterable[Mapping[str, Any]]) -> Iterable[QuarantineRow]:
    """Those that hold; the message of the rollout says already what came of the newest."""
    for one in variants:
        if not one.get("liftedBy"):
            yield QuarantineRow(
                variant=_short(one["digest"]),
                cohort=one["cohort"],
                revision=one["revision"],
                reason=one["reason"],
            )


def _wave(wave: Mapping[str, Any]) -> WaveRow:
    return WaveRow(
        name=wave["name"],
        result=wave["result"],
        promoted_by=wave.get("promotedBy") or "",
        devices=wave.get("devices", 0),
        counts=tuple((wave.get("counts") or {}).items()),
        gates=tuple(_gate(one) for one in wave.get("gates") or ()),
    )


def _gate(gate: Mapping[str, Any]) -> GateRow:
    return GateRow(
        metric=gate.get("name") or gate["metric"],
        source=gate.get("source") or "",
        cohort=gate.get("cohort") or "",
        verdict=gate["verdict"],
        value=number(gate.get("value")),
        baseline=number(gate.get("baseline")),
        limit=number(gate.get("limit")),
        samples=gate.get("samples") or 0,
        advisory=bool(gate.get("advisory")),
        message=gate.get("message") or "",
        picture=pictures.picture(gate),
    )


def _cohort(cohort: Mapping[str, Any], measured: Mapping[str, Mapping[str, Any]]) -> CohortRow:
    variant = cohort.get("variant")
    figures = measured.get(variant, {}) if variant else {}
    size = figures.get("bytes")
    p95 = (figures.get("latency_ms") or {}).get("p95")
    return CohortRow(
        name=cohort.get("name") or cohort.get("profile") or _NONE,
        devices=cohort.get("devices", 0),
        variant=_short(variant) if variant or not cohort.get("noFeasibleVariant") else "none fits",
        size=_NONE if size is None else units.format_size(size),
        score=number(figures.get("score"), ".4f"),
        p95=_NONE if p95 is None else f"{p95:.3g} ms",
    )


def _condition(record: Record, name: str) -> str:
    conditions = (record.data.get("status") or {}).get("conditions") or ()
    return next((one["status"] for one in conditions if one["type"] == name), "Unknown")


def _short(digest: str | None) -> str:
    return digests.short(Digest(digest)) if digest else _NONE
