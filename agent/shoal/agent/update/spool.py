"""Telemetry that waits for the controller: a bounded ring, on disk while nobody listens.

A batch never changes once it was offered, so (boot id, sequence) makes its ingest idempotent even
where an acknowledgement was lost or the agent started again in between. While the controller
acknowledges, nothing is written to disk. Windows of the last moments are lost in a power cut:
telemetry is not worth an fsync.
"""

import contextlib
import json
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from shoal.agent.core.ports import Disk
from shoal.contract import jsonform
from shoal.contract.limits import SPOOL_WINDOWS
from shoal.contract.telemetry import TelemetryBatch, TelemetryWindow

BATCH_WINDOWS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """A batch on disk."""

    path: Path
    windows: int


class Spool:
    """The telemetry of one device between engine and controller, oldest first."""

    def __init__(self, disk: Disk, folder: Path, *, device: str, boot_id: str) -> None:
        self._disk = disk
        self._folder = folder
        self._device = device
        self._boot_id = boot_id
        self._sequence = 0
        self._fresh: deque[TelemetryWindow] = deque()
        self._offered: TelemetryBatch | None = None
        self._held: deque[_Held] = deque()
        for name in disk.names(folder):
            self._adopt(folder / name)

    @property
    def windows(self) -> int:
        """How many windows wait."""
        offered = 0 if self._offered is None else len(self._offered.windows)
        return len(self._fresh) + offered + sum(held.windows for held in self._held)

    def add(self, window: TelemetryWindow) -> None:
        """Take a window; beyond the bound the oldest ones go (I5)."""
        self._fresh.append(window)
        if len(self._fresh) >= BATCH_WINDOWS:
            self.hold()

    def offer(self) -> TelemetryBatch | None:
        """The oldest batch, the same one until it is `done`; None where nothing waits."""
        while self._held:
            batch = self._read(self._held[0].path)
            if batch is not None:
                return batch
            self._drop(self._held.popleft().path)
        if self._offered is None and self._fresh:
            self._offered = self._sealed()
        return self._offered

    def done(self, batch: TelemetryBatch) -> None:
        """The controller has stored this batch."""
        if batch == self._offered:
            self._offered = None
        elif self._held and self._read(self._held[0].path) == batch:
            self._drop(self._held.popleft().path)

    def hold(self) -> None:
        """Put everything on disk: nobody listens, or the agent is about to stop."""
        while self._offered is not None or self._fresh:
            batch = self._sealed() if self._offered is None else self._offered
            self._offered = None
            self._write(batch)
        while self.windows > SPOOL_WINDOWS:
            self._drop(self._held.popleft().path)

    def _sealed(self) -> TelemetryBatch:
        self._sequence += 1
        count = min(len(self._fresh), BATCH_WINDOWS)
        return TelemetryBatch(
            device=self._device,
            boot_id=self._boot_id,
            sequence=self._sequence,
            windows=tuple(self._fresh.popleft() for _ in range(count)),
        )

    def _write(self, batch: TelemetryBatch) -> None:
        # Names sort by age: the window's time first, the sequence where two fall together.
        name = f"{batch.windows[0].start_ms:014d}-{batch.sequence:08d}.json"
        path = self._folder / name
        try:
            self._disk.append(path, json.dumps(jsonform.to_json(batch)).encode())
        except OSError:
            self._drop(path)  # a full disk costs telemetry, never serving
            return
        self._held.append(_Held(path=path, windows=len(batch.windows)))

    def _adopt(self, path: Path) -> None:
        batch = self._read(path)
        if batch is None:
            self._drop(path)
        else:
            self._held.append(_Held(path=path, windows=len(batch.windows)))

    def _drop(self, path: Path) -> None:
        """What a failing disk keeps is offered again after the next start, and stored once."""
        with contextlib.suppress(OSError):
            self._disk.remove(path)

    def _read(self, path: Path) -> TelemetryBatch | None:
        """The batch in a file; None where a crash left half of one."""
        try:
            return jsonform.from_json(TelemetryBatch, json.loads(self._disk.read(path)))
        except (OSError, ValueError):
            return None
