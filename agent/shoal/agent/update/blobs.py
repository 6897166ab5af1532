"""Content-addressed files: complete and verified under their digest, `.partial` before that.

Stage (design: section 7): write, fsync, verify, rename, fsync the folder. A crash at any point
leaves either no name, a partial file that the next fetch resumes, or the complete blob (I2, I3).
"""

import errno
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from shoal.agent.core.ports import Disk
from shoal.agent.errors import StageError
from shoal.contract.assignment import Artifact
from shoal.contract.digest import Digest, hex_of
from shoal.contract.reason import Reason

_PARTIAL = ".partial"
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """What of an assignment is not on disk yet; `missing_bytes` without what partial files hold."""

    missing: tuple[Artifact, ...]
    missing_bytes: int
    free_bytes: int


class BlobStore:
    """The blobs of one device."""

    def __init__(self, disk: Disk, folder: Path) -> None:
        self._disk = disk
        self._folder = folder / "sha256"
        self._verified: set[Digest] = set()

    def path(self, digest: Digest) -> Path:
        """Where the complete blob is, or would be."""
        return self._folder / hex_of(digest)

    def has(self, digest: Digest) -> bool:
        """Whether the blob is complete."""
        return self._disk.size(self.path(digest)) is not None

    def verify(self, digest: Digest) -> None:
        """Read a blob of an earlier process once more before it is used (I3); damage is removed.

        Raises:
            StageError: NOT_FOUND, or DIGEST_MISMATCH.
        """
        if digest in self._verified:
            return
        path = self.path(digest)
        if self._disk.size(path) is None:
            raise StageError(Reason.NOT_FOUND, f"{digest} is not on this device")
        if self._disk.digest(path) != digest:
            self._disk.remove(path)
            raise StageError(Reason.DIGEST_MISMATCH, f"{digest} was damaged on this device")
        self._verified.add(digest)

    def survey(self, artifacts: Collection[Artifact]) -> Inventory:
        """What is missing of `artifacts`; complete blobs are verified on the way."""
        missing = {}
        for artifact in artifacts:
            try:
                self.verify(artifact.digest)
            except StageError:
                missing[artifact.digest] = artifact
        sizes = (one.size_bytes - self.partial_bytes(one.digest) for one in missing.values())
        return Inventory(
            missing=tuple(missing.values()),
            missing_bytes=sum(max(size, 0) for size in sizes),
            free_bytes=self._disk.free_bytes(),
        )

    def partial_bytes(self, digest: Digest) -> int:
        """How much of a blob has been received."""
        return self._disk.size(self._partial(digest)) or 0

    def append(self, artifact: Artifact, data: bytes) -> int:
        """Add received bytes to the partial file and return its size.

        Raises:
            StageError: DISK_FULL, or DIGEST_MISMATCH for more bytes than the artifact has (I5).
        """
        size = self.partial_bytes(artifact.digest) + len(data)
        if size > artifact.size_bytes:
            self.drop(artifact.digest)
            message = f"{artifact.digest} is longer than its {artifact.size_bytes} bytes"
            raise StageError(Reason.DIGEST_MISMATCH, message)
        try:
            self._disk.append(self._partial(artifact.digest), data)
        except OSError as error:
            raise stage_error(error) from error
        return size

    def finish(self, artifact: Artifact) -> None:
        """Verify a fully received blob and give it its name, durably.

        Raises:
            StageError: DIGEST_MISMATCH (the partial file is dropped), or the disk failed.
        """
        partial = self._partial(artifact.digest)
        try:
            if self._disk.size(partial) is None:
                self._disk.append(partial, b"")
            self._disk.sync(partial)
            if self._disk.digest(partial) != artifact.digest:
                self.drop(artifact.digest)
                message = f"the bytes received for {artifact.digest} have another digest"
                raise StageError(Reason.DIGEST_MISMATCH, message)
            self._disk.rename(partial, self.path(artifact.digest))
            self._disk.sync_directory(self._folder)
        except OSError as error:
            raise stage_error(error) from error
        self._verified.add(artifact.digest)

    def drop(self, digest: Digest) -> None:
        """Forget what has been received of a blob."""
        self._disk.remove(self._partial(digest))

    def collect(self, keep: Collection[Digest]) -> None:
        """Remove every blob and partial file that is not in `keep`."""
        kept = {hex_of(digest) for digest in keep}
        for name in self._disk.names(self._folder):
            if name.removesuffix(_PARTIAL) not in kept:
                self._disk.remove(self._folder / name)
        self._verified.intersection_update(keep)

    def _partial(self, digest: Digest) -> Path:
        return self._folder / (hex_of(digest) + _PARTIAL)


def stage_error(error: OSError) -> StageError:
    """What a failure of the disk means for a fetch."""
    reason = Reason.DISK_FULL if error.errno in _FULL else Reason.FETCH_FAILED
    return StageError(reason, f"the disk refused: {error.strerror or error}")
