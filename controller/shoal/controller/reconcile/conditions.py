"""Typed conditions that keep the time of their last change."""

from collections.abc import Mapping
from typing import Any

from shoal.controller.reconcile.journal import iso


def condition(
    status: Mapping[str, Any] | None,
    name: str,
    value: tuple[bool | None, str, str],
    now_s: float,
) -> dict[str, Any]:
    """The condition `name` with (status, reason, message); its time moves only with its status.

    `status` is the resource's status so far. None as a value is `Unknown`.
    """
    holds, reason, message = value
    known = {None: "Unknown", True: "True", False: "False"}[holds]
    before = next(
        (one for one in (status or {}).get("conditions", ()) if one["type"] == name), None
    )
    same = before is not None and before["status"] == known
    return {
        "type": name,
        "status": known,
        "reason": reason,
        "message": message,
        "lastTransitionTime": before["lastTransitionTime"] if before and same else iso(now_s),
    }
