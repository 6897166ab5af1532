"""The journal: what must survive, one line a step, durable before anything irreversible.

A line is the CRC-32 of its JSON, a space, and the JSON of what changed: the device, lives that are
new or different, deployments that are gone. Replay cuts off what a crash tore and passes over lines
that were damaged later: a line says whole lives, so those after it are still true. Once the file is
much longer than what it says, it is replaced by one line that says the same.
"""

import json
import logging
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

from shoal.agent.core.ports import Disk
from shoal.agent.core.saved import Saved, SavedDevice, SavedLife
from shoal.contract import jsonform
from shoal.contract.limits import KIB

COMPACT_FROM_BYTES = 256 * KIB
COMPACT_RATIO = 8  # of the file to the one line that says the same

_log = logging.getLogger(__name__)

_NOTHING = Saved(
    device=SavedDevice(desired_version=0, telemetry_window_s=10.0, heartbeat_s=30.0), lives=()
)


class Journal:
    """One file, one writer."""

    def __init__(self, disk: Disk, path: Path) -> None:
        self._disk = disk
        self._path = path
        self._saved = _NOTHING
        self._bytes = 0

    def replay(self) -> Saved:
        """What the last process left behind; an empty start where there is no journal."""
        if self._disk.size(self._path) is None:
            return self._saved
        content = self._disk.read(self._path)
        for number, line in enumerate(content.splitlines(keepends=True), 1):
            try:
                self._saved = _applied(self._saved, _read_line(line))
            except ValueError as error:
                _log.warning("line %d of %s is passed over: %s", number, self._path, error)
        good = content.rfind(b"\n") + 1
        if good < len(content):
            self._disk.truncate(self._path, good)
            self._disk.sync(self._path)
        self._bytes = good
        return self._saved

    def record(self, saved: Saved) -> None:
        """Return once `saved` is durable; what has not changed is not written.

        Raises:
            OSError: it is not durable; the journal still says what it said before.
        """
        change = _difference(self._saved, saved)
        if not change:
            return
        line = _line(change)
        created = self._bytes == 0
        try:
            self._disk.append(self._path, line)
            self._disk.sync(self._path)
            if created:
                self._disk.sync_directory(self._path.parent)
        except OSError:
            self._cut_back()
            raise
        self._bytes += len(line)
        self._saved = saved
        self._compact()

    def _cut_back(self) -> None:
        """A half-written line must not stand before the next one."""
        size = self._disk.size(self._path)
        if size is not None and size > self._bytes:
            self._disk.truncate(self._path, self._bytes)

    def _compact(self) -> None:
        if self._bytes < COMPACT_FROM_BYTES:
            return
        line = _line(_difference(_NOTHING, self._saved))
        if self._bytes < COMPACT_RATIO * len(line):
            return
        fresh = self._path.with_suffix(".new")
        self._disk.remove(fresh)
        self._disk.append(fresh, line)
        self._disk.sync(fresh)
        self._disk.rename(fresh, self._path)
        self._disk.sync_directory(self._path.parent)
        self._bytes = len(line)


def _difference(old: Saved, new: Saved) -> dict[str, Any]:
    before = {life.deployment: life for life in old.lives}
    after = {life.deployment for life in new.lives}
    change: dict[str, Any] = {}
    if new.device != old.device:
        change["device"] = jsonform.to_json(new.device)
    if lives := [life for life in new.lives if before.get(life.deployment) != life]:
        change["lives"] = [jsonform.to_json(life) for life in lives]
    if gone := sorted(set(before) - after):
        change["gone"] = gone
    return change


def _applied(saved: Saved, change: dict[str, Any]) -> Saved:
    device = saved.device
    if "device" in change:
        device = jsonform.from_json(SavedDevice, change["device"])
    lives = {life.deployment: life for life in saved.lives}
    for one in change.get("lives", ()):
        life = jsonform.from_json(SavedLife, one)
        lives[life.deployment] = life
    for deployment in change.get("gone", ()):
        lives.pop(deployment, None)
    return replace(saved, device=device, lives=tuple(lives[name] for name in sorted(lives)))


def _line(change: dict[str, Any]) -> bytes:
    text = json.dumps(change, sort_keys=True, separators=(",", ":")).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def _read_line(line: bytes) -> dict[str, Any]:
    """The change that a line says.

    Raises:
        ValueError: it is torn or damaged.
    """
    head, _, text = line.rstrip(b"\n").partition(b" ")
    if not line.endswith(b"\n") or head != b"%08x" % zlib.crc32(text):
        raise ValueError("it is torn or damaged")
    change: dict[str, Any] = json.loads(text)
    return change
