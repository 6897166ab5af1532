"""The Disk port on a real file system."""

import os
import shutil
from pathlib import Path

from shoal.contract import digest
from shoal.contract.digest import Digest


class LocalDisk:
    """Plain system calls; free space is that of the file system which holds `root`."""

    def __init__(self, root: Path) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self._root = root

    def size(self, path: Path) -> int | None:
        """Bytes of a regular file, None where there is none."""
        return path.stat().st_size if path.is_file() else None

    def read(self, path: Path) -> bytes:
        """The whole content."""
        return path.read_bytes()

    def digest(self, path: Path) -> Digest:
        """SHA-256 of the content, read in bounded memory."""
        return digest.of_file(path)

    def append(self, path: Path, data: bytes) -> None:
        """Write at the end, creating the file."""
        _make_folder(path.parent)
        with path.open("ab", buffering=0) as file:
            left = memoryview(data)
            while left:
                left = left[file.write(left) :]

    def truncate(self, path: Path, size_bytes: int) -> None:
        """Cut the file to its first bytes."""
        os.truncate(path, size_bytes)

    def sync(self, path: Path) -> None:
        """Make the content durable."""
        _sync(path, os.O_RDONLY)

    def sync_directory(self, path: Path) -> None:
        """Make the names in a folder durable."""
        _sync(path, os.O_RDONLY | os.O_DIRECTORY)

    def rename(self, source: Path, target: Path) -> None:
        """Replace `target` in one step."""
        source.replace(target)

    def remove(self, path: Path) -> None:
        """Remove a file, a link or an empty folder; nothing happens where there is none."""
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        else:
            path.unlink(missing_ok=True)

    def link(self, target: str, path: Path) -> None:
        """Make a symbolic link; there must be none."""
        _make_folder(path.parent)
        path.symlink_to(target)

    def target(self, path: Path) -> str | None:
        """Where a symbolic link points, None where there is none."""
        return str(path.readlink()) if path.is_symlink() else None

    def names(self, path: Path) -> tuple[str, ...]:
        """Sorted names in a folder; empty where there is none."""
        return tuple(sorted(one.name for one in path.iterdir())) if path.is_dir() else ()

    def free_bytes(self) -> int:
        """Bytes that may still be written."""
        return shutil.disk_usage(self._root).free


def _make_folder(path: Path) -> None:
    """A folder is a name too: it is made durable in its parent at once."""
    if path.is_dir():
        return
    _make_folder(path.parent)
    path.mkdir(exist_ok=True)
    _sync(path.parent, os.O_RDONLY | os.O_DIRECTORY)


def _sync(path: Path, flags: int) -> None:
    handle = os.open(path, flags)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
