"""What is told of scouts as events of their Model: who goes, what came back, who said nothing."""

from collections.abc import Iterator, Mapping
from typing import Any

from shoal.contract import digest as digests
from shoal.contract import jsonform, units
from shoal.contract.digest import Digest
from shoal.controller.domain.archive import Measured
from shoal.controller.planning import naming
from shoal.controller.planning.scouting import Scouting
from shoal.controller.reconcile import evidence, revisions
from shoal.controller.reconcile.journal import Happening
from shoal.controller.store.port import Record

Kept = Mapping[str, Any]


def of(record: Record, before: Kept, after: Kept) -> Iterator[Happening]:
    """What happened between two states of a revision's scouting."""
    for name, now in after.items():
        ended, begun = _open(before.get(name, {})), _open(now)
        if ended == begun:
            continue
        if ended is not None:
            yield from _came_back(record, name, ended, now)
        if begun is not None:
            who, what = " and ".join(begun.devices), naming.counted(len(begun.variants), "variant")
            verb = "measure" if begun.devices[1:] else "measures"
            yield _happening(record, "Scouting", f"{who} {verb} {what} of class {name}")


def _came_back(record: Record, name: str, ended: Scouting, now: Kept) -> Iterator[Happening]:
    found = {one.digest: one for one in evidence.measured(now)}
    for variant in ended.variants:
        if variant in found:
            yield _told(record, name, found[variant])
    silent = [one for one in ended.variants if one not in found]
    if silent:
        message = f"{' and '.join(ended.devices)} said nothing of {_names(silent)} of class {name}"
        yield _happening(record, "ScoutSilent", message, warning=True)


def _told(record: Record, name: str, one: Measured) -> Happening:
    what = f"{_names([one.digest])} of class {name}"
    if one.refusal:
        return _happening(record, "ScoutRefused", f"{what}: {one.refusal}", warning=True)
    memory = units.format_size(one.peak_memory_bytes)
    figures = f"p95 {one.latency_p95_ms:.2f} ms and {memory}, the worst of {one.devices}"
    return _happening(record, "Scouted", f"{what}: {figures}")


def _happening(record: Record, reason: str, message: str, *, warning: bool = False) -> Happening:
    return Happening(
        regarding=f"Model/{record.namespace}/{record.data['model']}",
        type="Warning" if warning else "Normal",
        reason=reason,
        message=f"{revisions.title(record)}: {message}",
    )


def _names(variants: list[Digest]) -> str:
    return ", ".join(digests.short(one) for one in variants)


def _open(kept: Kept) -> Scouting | None:
    return jsonform.from_json(Scouting, kept["open"]) if "open" in kept else None
