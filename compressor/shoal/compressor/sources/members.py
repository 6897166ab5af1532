"""Reads arrays out of an `.npz`, which is foreign: a zip whose members claim their own sizes.

Nothing is unpickled, nothing is unpacked before its name, type and size are known to be wanted, and
an array is never larger than the bytes that its member declares.
"""

import math
import zipfile
import zlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
from numpy.lib import format as npy

from shoal.compressor import errors
from shoal.compressor.sources.rows import Array
from shoal.contract import limits
from shoal.contract.problem import InvalidError
from shoal.contract.reason import Reason

_SUFFIX: Final = ".npy"
_MEMBERS: Final = 10_000
_UNREADABLE: Final = (  # what zipfile and numpy raise over a damaged, encrypted or hostile archive
    *(zipfile.BadZipFile, zlib.error, OSError, EOFError, KeyError, NotImplementedError),
    *(RuntimeError, MemoryError, OverflowError),
)


def names(path: Path, option: str) -> tuple[str, ...]:
    """The names of the arrays in `path`, which no longer has to be held against a bomb.

    Raises:
        InvalidError: no archive of arrays, or one that unpacks to more than the limit.
        NotFoundError: no such file.
    """
    errors.require_file(str(path), option)
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except _UNREADABLE:
        raise unreadable(path, option) from None
    size_bytes = sum(entry.file_size for entry in entries)
    if size_bytes > limits.DATA_BYTES:
        raise bad(
            path,
            option,
            f"unpacks to {size_bytes} bytes, above the limit of 4 GiB",
            "give fewer rows",
        )
    if len(entries) > _MEMBERS:
        raise bad(path, option, f"has {len(entries)} members, above the limit of {_MEMBERS}")
    for entry in entries:
        if not entry.filename.endswith(_SUFFIX):
            raise bad(path, option, f"has a member {entry.filename!r} that is no numpy array")
    return tuple(entry.filename.removesuffix(_SUFFIX) for entry in entries)


def load(path: Path, option: str, wanted: Collection[str]) -> Mapping[str, Array]:
    """The arrays `wanted` of `path`.

    Raises:
        InvalidError: one of them cannot be read, or holds Python objects.
    """
    arrays: dict[str, Array] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for name in wanted:
                entry = archive.getinfo(name + _SUFFIX)
                with archive.open(entry) as member:
                    arrays[name] = _array(member, entry.file_size, path, (option, name))
    except (*_UNREADABLE, ValueError):
        raise unreadable(path, option) from None
    return arrays


def _array(member: IO[bytes], size_bytes: int, path: Path, place: tuple[str, str]) -> Array:
    """One array; its header is believed only as far as the member has bytes."""
    option, name = place
    version = npy.read_magic(member)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, is_fortran, dtype = read(member)
    if dtype.hasobject:
        raise bad(
            path,
            option,
            f"holds an array of Python objects ({name!r}), which cannot be read without running "
            "a pickle",
            "store numbers: array.astype(numpy.float32), or pad ragged rows to one length",
        )
    expected = math.prod(shape) * dtype.itemsize
    if member.tell() + expected != size_bytes:
        raise unreadable(path, option)
    flat: Any = np.empty(expected, np.uint8)
    filled = 0
    while filled < expected:
        got = member.readinto(memoryview(flat)[filled:])  # type: ignore[attr-defined]
        if not got:
            raise unreadable(path, option)
        filled += got
    array: Array = flat.view(dtype) if dtype.itemsize else np.empty(0, dtype)
    native = array.astype(dtype.newbyteorder("="), copy=False)  # the runtimes know no other
    return native.reshape(shape, order="F" if is_fortran else "C")


def unreadable(path: Path, option: str) -> InvalidError:
    """The error for a file that is no archive of arrays."""
    return bad(
        path,
        option,
        "is not a readable .npz archive",
        "write it again: numpy.savez(PATH, x=rows), one array for each input of the model",
    )


def bad(path: Path, option: str, what: str, hint: str | None = None) -> InvalidError:
    """The error for data that do not fit; `what` follows the file's name."""
    return errors.invalid(Reason.BAD_DATA, f"{path.name} {what}", field=option, hint=hint)
