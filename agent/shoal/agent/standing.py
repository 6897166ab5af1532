"""How an agent stands, read from its state folder by another process."""

import json
from pathlib import Path
from typing import Any

from shoal.agent.errors import StateInUseError
from shoal.agent.state_folder import StateFolder
from shoal.contract.digest import Digest, short
from shoal.contract.problem import FailedError, NotFoundError, Problem
from shoal.contract.reason import Reason

_COLUMNS = ("DEPLOYMENT", "PHASE", "GENERATION", "VARIANT", "RUNNING", "REASON")


def read(state: Path) -> dict[str, Any]:
    """status.json, and whether its writer is `alive`.

    Raises:
        NotFoundError: no agent has run on this folder.
        FailedError: the file cannot be read.
    """
    folder = StateFolder(root=state)
    if not folder.status.is_file():
        raise NotFoundError(
            Problem(
                reason=Reason.NOT_FOUND,
                message=f"no agent has run on {state}",
                hint="shoal-agent run --server HOST:PORT --token TOKEN, or --state DIR",
            )
        )
    try:
        found: dict[str, Any] = json.loads(folder.status.read_text())
    except (OSError, ValueError) as error:
        raise FailedError(
            Problem(reason=Reason.INTERNAL, message=f"{folder.status} cannot be read: {error}")
        ) from None
    return {**found, "alive": _is_alive(folder)}


def _is_alive(folder: StateFolder) -> bool:
    try:
        with folder.locked():
            return False
    except StateInUseError:
        return True


def to_text(found: dict[str, Any]) -> str:
    """The same for a terminal."""
    alive = "running" if found["alive"] else "not running"
    connected = "connected" if found["alive"] and found["connected"] else "not connected"
    rows = [_COLUMNS, *(_row(one) for one in found["deployments"])]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    table = [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    head = f"{found['device']}: {alive}, {connected} ({found['link']}), serving {found['serving']}"
    trouble = [found["trouble"]] if found["alive"] and found.get("trouble") else []
    return "\n".join([head, *trouble, *table])


def _row(one: dict[str, Any]) -> tuple[str, ...]:
    running = one["running"]
    return (
        one["deployment"],
        one["phase"],
        str(one["generation"]),
        short(Digest(one["variant"])),
        "-" if running is None else short(Digest(running)),
        one["reason"] or "-",
    )
