"""Decisions as they are kept: the facts for people, and the inputs byte for byte for replay.

A body is `snapshot` and `plan` as JSON texts, one line each, compressed together. A replay reads
the snapshot back, asks the planner again and compares the text of the new plan with the old one.
"""

import hashlib
import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from shoal.contract import jsonform
from shoal.controller.domain.plan import Plan
from shoal.controller.domain.rollout import RolloutRecord
from shoal.controller.domain.snapshot import Snapshot
from shoal.controller.planning import planner

Planner = Callable[[Snapshot], Plan]

_NAMED = 50  # devices named in the facts; the body has them all
_LEVEL = 1  # the inputs of a large fleet are compressed between two passes


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """The program that takes decisions: its version, and the digest of the code that decides."""

    version: str
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One decision to be kept."""

    facts: dict[str, Any]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What asking again gave; `same` only where both texts are equal byte for byte."""

    same: bool
    difference: str = ""


def decided(snapshot: Snapshot, plan: Plan) -> bool:
    """Whether a pass decided something, and did not only take note of what devices said."""
    if plan.tells or plan.withdrawals or plan.events or plan.removed:
        return True
    return _stand(snapshot.record) != _stand(plan.record)


def record(snapshot: Snapshot, plan: Plan, author: Author) -> Recorded:
    """The decision of one pass, and who took it."""
    before, after = _text(snapshot), _text(plan)
    facts = _facts(snapshot, plan) | {
        "snapshotDigest": _digest(before),
        "planDigest": _digest(after),
        "version": author.version,
        "code": author.code,
    }
    return Recorded(facts=facts, body=zlib.compress(f"{before}\n{after}".encode(), _LEVEL))


def snapshot_of(body: bytes) -> Snapshot:
    """The inputs of a kept decision.

    Raises:
        ValueError: the body is damaged.
    """
    return jsonform.from_json(Snapshot, json.loads(_texts(body)[0]))


def replay(facts: dict[str, Any], body: bytes, decide: Planner = planner.plan) -> Replay:
    """Ask the planner again with the inputs of a kept decision, and compare byte for byte."""
    try:
        before, after = _texts(body)
        if _digest(before) != facts["snapshotDigest"] or _digest(after) != facts["planDigest"]:
            return Replay(same=False, difference="what was kept is not what was written")
        again = _text(decide(snapshot_of(body)))
    except ValueError as error:
        return Replay(same=False, difference=f"the inputs cannot be read: {error}")
    if again == after:
        return Replay(same=True)
    return Replay(same=False, difference=_difference(json.loads(after), json.loads(again), "plan"))


def _stand(record: RolloutRecord) -> tuple[object, ...]:
    """What a rollout decides beside whom it tells: where it stands, and why it waits."""
    current = record.current
    return (
        current and (current.number, current.result, [one.state for one in current.waves]),
        record.wave,
        record.hold and record.hold.reason,
        record.waiting and record.waiting.reason,
        [(one.cohort, one.wave, one.step, one.done, one.reverted) for one in record.cohorts],
        record.quarantine,
        record.suspended,
    )


def _facts(snapshot: Snapshot, plan: Plan) -> dict[str, Any]:
    status = plan.status
    return {
        "at": snapshot.now,
        "generation": snapshot.generation,
        "revision": status.revision,
        "modelRevision": status.model_revision,
        "models": [{"number": one.number, "ready": one.ready} for one in snapshot.models],
        "wave": status.wave,
        "result": status.result.value if status.result else None,
        "reason": status.reason,
        "message": status.message,
        "selected": status.selected,
        "reachable": status.reachable,
        "counts": {one.outcome.value: one.devices for one in status.counts},
        "gates": [
            jsonform.to_json(verdict)
            for progress in plan.record.cohorts
            for verdict in progress.verdicts
        ],
        "told": [
            {"device": one.device, "variant": one.target.variant, "revision": one.target.revision}
            for one in plan.tells[:_NAMED]
        ],
        "toldDevices": len(plan.tells),
        "withdrawn": list(plan.withdrawals[:_NAMED]),
        "withdrawnDevices": len(plan.withdrawals),
        "events": [jsonform.to_json(one) for one in plan.events],
    }


def _text(value: object) -> str:
    """One value as one line; the order of keys is that of the fields, which never is chance."""
    return json.dumps(jsonform.to_json(value), separators=(",", ":"), ensure_ascii=False)


def _texts(body: bytes) -> tuple[str, str]:
    try:
        before, _, after = zlib.decompress(body).decode().partition("\n")
    except zlib.error as error:
        raise ValueError(str(error)) from error
    return before, after


def _digest(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def _difference(before: Any, after: Any, place: str) -> str:
    """The first place where two plans differ: `plan.tells[0].target.variant: a, and now b`."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted(before.keys() | after.keys()):
            if before.get(key) != after.get(key) or (key in before) != (key in after):
                return _difference(before.get(key), after.get(key), f"{place}.{key}")
    if isinstance(before, list) and isinstance(after, list):
        for i, (one, other) in enumerate(zip(before, after, strict=False)):
            if one != other:
                return _difference(one, other, f"{place}[{i}]")
        if len(before) != len(after):
            return f"{place}: {len(before)} entries, and now {len(after)}"
    return f"{place}: {_short(before)}, and now {_short(after)}"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:77]}…"
