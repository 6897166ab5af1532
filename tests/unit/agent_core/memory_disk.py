"""A disk in memory that forgets what was not made durable."""

import errno
from dataclasses import dataclass, field
from pathlib import Path

from shoal.contract import digest
from shoal.contract.digest import Digest


class PowerCutError(Exception):
    """The power goes in the middle of an operation."""


@dataclass
class _File:
    data: bytes = b""
    durable: bytes = b""


_Entry = _File | str  # a symbolic link is where it points


@dataclass
class MemoryDisk:
    """Contents and names are two things, each durable only when it was synced.

    `operations` counts what was asked; the power goes at number `cut_at`, `full` disks write
    nothing, and a write during the cut is torn in half.
    """

    free: int = 1 << 30
    full: bool = False
    operations: int = 0
    cut_at: int | None = None
    entries: dict[Path, _Entry] = field(default_factory=dict)
    durable: dict[Path, _Entry] = field(default_factory=dict)

    def restarted(self) -> "MemoryDisk":
        """The disk as the next start finds it."""
        entries: dict[Path, _Entry] = {}
        for path, entry in self.durable.items():
            kept = _File(entry.durable, entry.durable) if isinstance(entry, _File) else entry
            entries[path] = kept
        return MemoryDisk(free=self.free, entries=entries, durable=dict(entries))

    def size(self, path: Path) -> int | None:
        entry = self.entries.get(path)
        return len(entry.data) if isinstance(entry, _File) else None

    def read(self, path: Path) -> bytes:
        return self._file(path).data

    def digest(self, path: Path) -> Digest:
        return digest.of_bytes(self.read(path))

    def append(self, path: Path, data: bytes) -> None:
        cut = self._operate()
        if self.full:
            raise OSError(errno.ENOSPC, "no space left on device")
        file = self.entries.setdefault(path, _File())
        assert isinstance(file, _File)
        if cut:
            file.data += data[: len(data) // 2]
            file.durable = file.data  # the kernel may have written any part of it
            self.durable[path] = file
            raise PowerCutError
        file.data += data

    def truncate(self, path: Path, size_bytes: int) -> None:
        self._cut()
        file = self._file(path)
        file.data = file.data[:size_bytes]

    def sync(self, path: Path) -> None:
        self._cut()
        file = self._file(path)
        file.durable = file.data

    def sync_directory(self, path: Path) -> None:
        self._cut()
        for known in [one for one in self.durable if one.parent == path]:
            del self.durable[known]
        self.durable.update({p: entry for p, entry in self.entries.items() if p.parent == path})

    def rename(self, source: Path, target: Path) -> None:
        self._cut()
        if source not in self.entries:
            raise FileNotFoundError(errno.ENOENT, "no such file", str(source))
        self.entries[target] = self.entries.pop(source)

    def remove(self, path: Path) -> None:
        self._cut()
        self.entries.pop(path, None)

    def link(self, target: str, path: Path) -> None:
        self._cut()
        if path in self.entries:
            raise FileExistsError(errno.EEXIST, "file exists", str(path))
        self.entries[path] = target

    def target(self, path: Path) -> str | None:
        entry = self.entries.get(path)
        return entry if isinstance(entry, str) else None

    def names(self, path: Path) -> tuple[str, ...]:
        return tuple(sorted(one.name for one in self.entries if one.parent == path))

    def free_bytes(self) -> int:
        return self.free

    def _file(self, path: Path) -> _File:
        entry = self.entries.get(path)
        if not isinstance(entry, _File):
            raise FileNotFoundError(errno.ENOENT, "no such file", str(path))
        return entry

    def _operate(self) -> bool:
        self.operations += 1
        return self.operations == self.cut_at

    def _cut(self) -> None:
        if self._operate():
            raise PowerCutError
