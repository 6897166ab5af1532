"""Uploads by digest: chunked, resumed where a broken one ended, verified by the controller."""

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from shoal.client.transport import Request, Transport
from shoal.contract import digest, limits
from shoal.contract.digest import Digest
from shoal.contract.problem import FailedError, InvalidError, Problem, UnreachableError
from shoal.contract.reason import Reason

Progress = Callable[[int, int], None]
"""Called with (bytes the controller has, bytes in all)."""

_ATTEMPTS = 5
_OFFSET = "Upload-Offset"


def _silent(_done: int, _total: int) -> None:
    """Progress for nobody."""


class Blobs:
    """The content-addressed files of one controller."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def has(self, wanted: Digest) -> bool:
        """Whether the controller holds the complete blob."""
        return self._offset(wanted) is None

    def upload(self, path: Path, *, progress: Progress = _silent) -> Digest:
        """The digest of the file at `path`, which the controller holds when this returns.

        A connection that breaks is resumed where the controller says, a few times.

        Raises:
            InvalidError: larger than `limits.MODEL_BYTES`.
            FailedError: the file changed while it was sent.
        """
        size = path.stat().st_size
        if size > limits.MODEL_BYTES:
            raise InvalidError(
                Problem(
                    reason=Reason.INVALID,
                    message=f"{path} has {size} bytes; the most is {limits.MODEL_BYTES}",
                )
            )
        wanted = digest.of_file(path)
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                self._resume(path, wanted, size, progress)
            except UnreachableError:
                if attempt == _ATTEMPTS:
                    raise
            else:
                return wanted
        raise RuntimeError("the last attempt returns or raises")

    def _resume(self, path: Path, wanted: Digest, size: int, progress: Progress) -> None:
        offset = self._offset(wanted)
        with path.open("rb") as file:
            while offset is not None:
                progress(offset, size)
                offset = self._send(file, wanted, offset, size)
        progress(size, size)

    def _offset(self, wanted: Digest) -> int | None:
        """How many bytes the controller holds of the blob; None when it is complete."""
        request = Request(method="HEAD", path=f"/blobs/{wanted}")
        answer = self._transport.send(request, accept=frozenset({404}))
        return None if answer.is_success else int(answer.headers.get(_OFFSET, "0"))

    def _send(self, file: BinaryIO, wanted: Digest, offset: int, size: int) -> int | None:
        """Sends the next chunk; how many bytes are there now, None when the blob is complete."""
        file.seek(offset)
        chunk = file.read(limits.UPLOAD_CHUNK_BYTES)
        if not chunk and size:
            raise FailedError(
                Problem(
                    reason=Reason.DIGEST_MISMATCH,
                    message=f"{file.name} became shorter while it was uploaded",
                    hint="apply again once nothing writes to it",
                )
            )
        request = Request(
            method="PATCH",
            path=f"/blobs/{wanted}",
            headers={
                _OFFSET: str(offset),
                "Upload-Length": str(size),
                "Content-Type": "application/offset+octet-stream",
            },
            content=chunk,
        )
        answer = self._transport.send(request, accept=frozenset({409}))
        if answer.status_code == 409:  # somebody else uploads the same bytes: go on from there
            return self._offset(wanted)
        return None if answer.status_code == 201 else int(answer.headers[_OFFSET])
