"""Blobs in a directory: `blobs/sha256/<hex>`, complete and verified or not there at all.

A blob appears by rename after its bytes are on disk, so every name is the digest of its content.
Uploads grow in `uploads/<hex>` and survive a restart; the sender asks for the offset and goes on.
"""

import asyncio
import os
import shutil
import tempfile
import threading
import time
from pathlib import Path

from shoal.contract import digest as digests
from shoal.contract.digest import Digest
from shoal.contract.problem import ConflictError, InvalidError, NotFoundError, Problem
from shoal.contract.reason import Reason

_COPY = "put-"  # how the names of half-made copies begin
_GIVEN_UP_S = 86_400.0  # an upload that nobody continued for this long is dropped at start


class Blobs:
    """The `BlobStore` port over the controller's data directory, and resumable uploads."""

    def __init__(self, data_dir: Path) -> None:
        self._blobs = data_dir / "blobs" / "sha256"
        self._uploads = data_dir / "uploads"
        self._blobs.mkdir(parents=True, exist_ok=True)
        self._uploads.mkdir(parents=True, exist_ok=True)
        self._appending = threading.Lock()
        self._dropping = threading.Lock()  # between a look at a blob's time and its end
        self._tidy()

    def has(self, digest: Digest) -> bool:
        """See `BlobStore.has`."""
        return self._place(digest).is_file()

    def size(self, digest: Digest) -> int:
        """See `BlobStore.size`."""
        return self.path(digest).stat().st_size

    def path(self, digest: Digest) -> Path:
        """See `BlobStore.path`."""
        place = self._place(digest)
        if not place.is_file():
            raise NotFoundError(
                Problem(reason=Reason.NOT_FOUND, message=f"blob {digest} does not exist")
            )
        return place

    async def put_file(self, path: Path) -> Digest:
        """See `BlobStore.put_file`."""
        return await asyncio.to_thread(self._keep_copy, path)

    async def read(self, digest: Digest, offset: int, length: int) -> bytes:
        """See `BlobStore.read`."""
        return await asyncio.to_thread(_read, self.path(digest), offset, length)

    def reserve(self, digest: Digest) -> bool:
        """Whether the whole blob is here; it then stays as if it had been used just now."""
        with self._dropping:
            place = self._place(digest)
            if place.is_file():
                os.utime(place)
                return True
            return False

    async def sweep(self, in_use: frozenset[Digest], now_s: float, kept_s: float) -> list[Digest]:
        """Note that `in_use` are in use; drop what was last so more than `kept_s` ago.

        When a blob was last in use is the time of its file. Returns what was dropped.
        """
        return await asyncio.to_thread(self._sweep, in_use, now_s, kept_s)

    def uploaded(self, digest: Digest) -> int:
        """How many bytes of an unfinished upload are here."""
        partial = self._partial(digest)
        return partial.stat().st_size if partial.is_file() else 0

    async def upload(self, digest: Digest, offset: int, data: bytes, total: int) -> bool:
        """Append `data` at `offset` of an upload of `total` bytes; True once the blob is complete.

        Raises:
            ConflictError: `offset` is not where the upload stands.
            InvalidError: more bytes than `total`, or the whole has another digest (the upload
                starts over then).
        """
        return await asyncio.to_thread(self._append, digest, offset, data, total)

    def _tidy(self) -> None:
        """After a restart: finish uploads that were complete, drop copies and what was given up."""
        for file in self._uploads.iterdir():
            if f"sha256:{file.name}" == digests.of_file(file):
                self._place_durably(file, Digest(f"sha256:{file.name}"))
            elif file.name.startswith(_COPY) or file.stat().st_mtime < time.time() - _GIVEN_UP_S:
                file.unlink()

    def _sweep(self, in_use: frozenset[Digest], now_s: float, kept_s: float) -> list[Digest]:
        dropped = []
        for file in sorted(self._blobs.iterdir()):
            digest = Digest(f"sha256:{file.name}")
            with self._dropping:
                if digest in in_use:
                    os.utime(file, (now_s, now_s))
                elif now_s - file.stat().st_mtime > kept_s:
                    file.unlink()
                    dropped.append(digest)
        return dropped

    def _append(self, digest: Digest, offset: int, data: bytes, total: int) -> bool:
        if self.reserve(digest):
            return True
        with self._appending:
            complete = self._grow(digest, offset, data, total)
        if complete:
            self._finish(self._partial(digest), digest)
        return complete

    def _grow(self, digest: Digest, offset: int, data: bytes, total: int) -> bool:
        partial = self._partial(digest)
        here = self.uploaded(digest)
        if offset != here:
            raise ConflictError(
                Problem(
                    reason=Reason.CONFLICT,
                    message=f"the upload of {digest} stands at byte {here}, not {offset}",
                    hint=f"continue at Upload-Offset {here}",
                )
            )
        if here + len(data) > total:
            raise InvalidError(
                Problem(reason=Reason.INVALID, message=f"more bytes than Upload-Length {total}")
            )
        with partial.open("ab") as file:
            file.write(data)
        return here + len(data) == total

    def _finish(self, partial: Path, digest: Digest) -> None:
        found = digests.of_file(partial)
        if found != digest:
            partial.unlink()
            raise InvalidError(
                Problem(
                    reason=Reason.DIGEST_MISMATCH,
                    message=f"the bytes sent have digest {found}, not {digest}",
                    hint="send the file again from the start",
                )
            )
        self._place_durably(partial, digest)

    def _keep_copy(self, path: Path) -> Digest:
        descriptor, name = tempfile.mkstemp(dir=self._uploads, prefix=_COPY)
        copy = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as target, path.open("rb") as source:
                shutil.copyfileobj(source, target, 1 << 20)
            # Hashed from the copy: the original may change under our hands.
            digest = digests.of_file(copy)
            self._place_durably(copy, digest)
        finally:
            copy.unlink(missing_ok=True)
        return digest

    def _place_durably(self, file: Path, digest: Digest) -> None:
        _sync(file, os.O_RDONLY)
        file.replace(self._place(digest))
        _sync(self._blobs, os.O_RDONLY | os.O_DIRECTORY)

    def _place(self, digest: Digest) -> Path:
        return self._blobs / digests.hex_of(digests.parse(digest))

    def _partial(self, digest: Digest) -> Path:
        return self._uploads / digests.hex_of(digests.parse(digest))


def _read(path: Path, offset: int, length: int) -> bytes:
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(length)


def _sync(path: Path, flags: int) -> None:
    """Flush a file's bytes, or a directory's names, to the disk."""
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
