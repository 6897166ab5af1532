"""Zip archives from outside: their index held against limits before any member is unpacked."""

import os
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from shoal.compressor import errors
from shoal.contract import limits
from shoal.contract.problem import InvalidError
from shoal.contract.reason import Reason

MAGIC: Final = b"PK\x03\x04"
_END: Final = b"PK\x05\x06"
_END_BYTES: Final = 22
_COMMENT_BYTES: Final = 65_535
_INDEX_BYTES: Final = 16 * limits.MIB
_MEMBERS: Final = 100_000
_RATIO: Final = 200  # deflate reaches 1,032 on zeros; weights hardly shrink at all
_SLACK_BYTES: Final = 64 * limits.MIB
UNREADABLE: Final = (  # what zipfile raises over a damaged or hostile archive
    *(zipfile.BadZipFile, zlib.error, OSError, EOFError, KeyError),
    *(NotImplementedError, RuntimeError, UnicodeDecodeError, ValueError),
)
_AGAIN: Final = "save the file again where the model was trained, and compare its size"


@contextmanager
def opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """The archive at `path`, its index checked; members are still to be read with care.

    Raises:
        InvalidError: TruncatedModel, or ModelTooLarge for a bomb.
    """
    try:
        _check_index(path)
        archive = zipfile.ZipFile(path)
    except UNREADABLE:
        raise damaged(path, "is a damaged or truncated archive") from None
    with archive:
        _check_members(path, archive.infolist())
        yield archive


def read(archive: zipfile.ZipFile, name: str, most_bytes: int) -> bytes:
    """One member of at most `most_bytes`.

    Raises:
        InvalidError: it is missing, damaged or larger.
    """
    path = Path(archive.filename or "")
    try:
        with archive.open(name) as member:
            data = member.read(most_bytes + 1)
    except UNREADABLE:
        raise damaged(path, f"has no readable member {name!r}") from None
    if len(data) > most_bytes:
        raise _too_large(path, f"has a member {name!r} of more than {most_bytes} bytes")
    return data


def names(path: Path) -> list[str]:
    """The members' names, or none where `path` is no readable archive."""
    try:
        with opened(path) as archive:
            return archive.namelist()
    except InvalidError:
        return []


def damaged(path: Path, what: str) -> InvalidError:
    """The error for an archive that cannot be read."""
    return errors.invalid(Reason.TRUNCATED_MODEL, f"{path.name} {what}", field="MODEL", hint=_AGAIN)


def _check_index(path: Path) -> None:
    """Reads the end record alone: the index it announces is bounded before zipfile holds it."""
    with path.open("rb") as file:
        size_bytes = file.seek(0, os.SEEK_END)
        file.seek(max(0, size_bytes - _END_BYTES - _COMMENT_BYTES))
        tail = file.read()
    at = tail.rfind(_END)
    if at < 0 or at + _END_BYTES > len(tail):
        raise zipfile.BadZipFile
    index_bytes = int.from_bytes(tail[at + 12 : at + 16], "little")
    if index_bytes != 0xFFFFFFFF and index_bytes > _INDEX_BYTES:
        raise _too_large(path, f"has an index of {index_bytes} bytes")


def _check_members(path: Path, members: list[zipfile.ZipInfo]) -> None:
    if len(members) > _MEMBERS:
        raise _too_large(path, f"has {len(members)} members")
    if len({member.filename for member in members}) != len(members):
        raise damaged(path, "has two members of one name")
    if any(member.flag_bits & 1 for member in members):
        raise damaged(path, "is encrypted")
    for member in members:
        if member.filename.startswith("/") or ".." in member.filename.split("/"):
            raise damaged(path, f"has a member that leaves its folder: {member.filename[:100]!r}")
    unpacked = sum(member.file_size for member in members)
    packed = sum(member.compress_size for member in members)
    if unpacked > limits.MODEL_BYTES or unpacked > _RATIO * packed + _SLACK_BYTES:
        raise _too_large(path, f"unpacks from {packed} to {unpacked} bytes")


def _too_large(path: Path, what: str) -> InvalidError:
    return errors.invalid(
        Reason.MODEL_TOO_LARGE,
        f"{path.name} {what}, more than an honest model has",
        field="MODEL",
        hint="save the model again without compression and without anything else in the file",
    )
