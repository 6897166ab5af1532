"""status.json: what `shoal-agent status` prints, rewritten on each change in one rename."""

import json
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shoal.agent.core.lives import Context, Life
from shoal.agent.core.ports import Disk

SWITCHES_KEPT = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchRecord:
    """One move of the engine's pointer; `monotonic_s` is CLOCK_MONOTONIC."""

    deployment: str
    digest: str
    generation: int
    monotonic_s: float
    in_flight: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the status says beside the context."""

    device: str
    namespace: str
    pid: int
    engine_pid: int | None
    link: str
    connected: bool
    trouble: str
    serving: str
    spool_windows: int


class StatusFile:
    """The file, and the switches that it remembers."""

    def __init__(self, disk: Disk, path: Path) -> None:
        self._disk = disk
        self._path = path
        self._written = b""
        self._switches: deque[SwitchRecord] = deque(maxlen=SWITCHES_KEPT)

    def switched(self, switch: SwitchRecord) -> None:
        """Remember a switch; the oldest one beyond 64 is forgotten."""
        self._switches.append(switch)

    def write(self, context: Context, around: Surroundings) -> None:
        """Make the file say this; nothing is written where it does already.

        Raises:
            OSError: the file says what it said before.
        """
        text = json.dumps(status(context, around, tuple(self._switches)), indent=1).encode()
        if text == self._written:
            return
        fresh = self._path.with_suffix(".new")
        self._disk.remove(fresh)
        self._disk.append(fresh, text)
        self._disk.rename(fresh, self._path)
        self._written = text


def status(
    context: Context, around: Surroundings, switches: tuple[SwitchRecord, ...]
) -> dict[str, Any]:
    """The document."""
    return {
        "device": around.device,
        "namespace": around.namespace,
        "pid": around.pid,
        "engine_pid": around.engine_pid,
        "link": around.link,
        "connected": around.connected,
        "trouble": around.trouble,
        "serving": around.serving,
        "desired_version": context.desired_version,
        "deployments": [_deployment(life) for life in context.lives],
        "switches": [
            {
                "deployment": one.deployment,
                "digest": one.digest,
                "generation": one.generation,
                "monotonic_s": one.monotonic_s,
                "in_flight": one.in_flight,
            }
            for one in switches
        ],
        "spool_windows": around.spool_windows,
    }


def _deployment(life: Life) -> dict[str, Any]:
    running = life.running
    return {
        "deployment": life.deployment,
        "model": life.assignment.model,
        "phase": life.state.value if life.state.phase is None else life.state.phase.value,
        "generation": life.assignment.generation,
        "revision": life.assignment.revision,
        "variant": life.assignment.variant,
        "running": None if running is None else running.variant,
        "running_generation": 0 if running is None else running.generation,
        "reason": life.install.reason,
        "message": life.install.message,
    }
