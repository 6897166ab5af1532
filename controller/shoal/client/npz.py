"""Arrays out of .npz files without numpy, which operators need not have.

An .npz is a zip of .npy files (https://numpy.org/neps/nep-0001-npy-format.html): a magic, a header
that is a literal of Python, and the bytes. Only numbers are read; object arrays would run code.
"""

import ast
import math
import re
import struct
import sys
import zipfile
import zlib
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from shoal.contract.problem import InvalidError, NotFoundError, Problem
from shoal.contract.reason import Reason

_MAGIC: Final = b"\x93NUMPY"
_HEADER_BYTES: Final = 64 * 1024
_ARRAY_BYTES: Final = 512 * 1024 * 1024
_ARRAYS: Final = 256
_DIMENSIONS: Final = 16
# numpy's kind and size -> the protocol's name, and the letter of struct
_TYPES: Final = {
    "b1": ("BOOL", "?"),
    "u1": ("UINT8", "B"),
    "u2": ("UINT16", "H"),
    "u4": ("UINT32", "I"),
    "u8": ("UINT64", "Q"),
    "i1": ("INT8", "b"),
    "i2": ("INT16", "h"),
    "i4": ("INT32", "i"),
    "i8": ("INT64", "q"),
    "f2": ("FP16", "e"),
    "f4": ("FP32", "f"),
    "f8": ("FP64", "d"),
}
_LETTERS: Final = dict(_TYPES.values())
_WORD: Final = re.compile(r"([<>|=])?([biuf])([1248])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """Numbers in row-major order, little-endian, with the protocol's name of their type."""

    datatype: str
    shape: tuple[int, ...]
    data: bytes

    @property
    def width(self) -> int:
        """Bytes of one number."""
        return struct.calcsize(_LETTERS[self.datatype])

    def row(self, number: int) -> "Tensor":
        """One entry of the first axis, without that axis."""
        shape = self.shape[1:]
        size = math.prod(shape) * self.width
        data = self.data[number * size : (number + 1) * size]
        return Tensor(datatype=self.datatype, shape=shape, data=data)

    def values(self) -> list[Any]:
        """The numbers."""
        return list(struct.unpack(f"<{math.prod(self.shape)}{_LETTERS[self.datatype]}", self.data))

    def as_type(self, datatype: str) -> "Tensor":
        """The same numbers as another type.

        Raises:
            InvalidError: they do not fit it: a half is no integer, 300 no byte.
        """
        if datatype == self.datatype:
            return self
        values = self.values()
        whole = not datatype.startswith(("FP", "BOOL"))
        try:
            if whole and any(value != int(value) for value in values):
                raise ValueError("there are fractions in it")
            cast: Iterable[Any] = map(int if whole else float, values)
            if datatype == "BOOL":
                cast = map(bool, values)
            data = struct.pack(f"<{len(values)}{_LETTERS[datatype]}", *cast)
        except (struct.error, ValueError, OverflowError, KeyError) as error:
            message = f"{self.datatype} does not fit {datatype}: {error}"
            raise _invalid(message) from error
        return Tensor(datatype=datatype, shape=self.shape, data=data)


def read(path: Path) -> dict[str, Tensor]:
    """The arrays of the file at `path` by name.

    Raises:
        NotFoundError: no such file.
        InvalidError: no .npz, or an array of something else than numbers.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if len(members) > _ARRAYS:
                raise _invalid(f"{path} has more than {_ARRAYS} arrays")
            return {_name(one): _array(archive, one, path) for one in members}
    except FileNotFoundError:
        message = f"there is no file {path}"
        raise NotFoundError(Problem(reason=Reason.NOT_FOUND, message=message)) from None
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError) as error:
        raise _invalid(f"{path} is no .npz file: {error}") from error


def _name(member: zipfile.ZipInfo) -> str:
    return member.filename.removesuffix(".npy")


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> Tensor:
    where = f"{_name(member)} in {path}"
    if member.file_size > _ARRAY_BYTES:
        raise _invalid(f"{where} is larger than {_ARRAY_BYTES} bytes")
    content = archive.read(member)
    try:
        descr, fortran, shape, start = _header(content)
        order, kind, size = _type(descr)
        datatype, letter = _TYPES[f"{kind}{size}"]
    except (ValueError, SyntaxError, KeyError, TypeError, struct.error, RecursionError) as error:
        raise _invalid(f"{where} is no array of numbers: {error}") from error
    data = content[start:]
    if len(data) != math.prod(shape) * size:
        raise _invalid(f"{where} is cut off")
    if order == ">" or (order == "=" and sys.byteorder == "big"):
        data = _swapped(data, size)
    if fortran and len(shape) > 1:
        data = _row_major(data, shape, letter)
    return Tensor(datatype=datatype, shape=shape, data=data)


def _header(content: bytes) -> tuple[str, bool, tuple[int, ...], int]:
    """Type, order, shape, and where the numbers begin."""
    if content[:6] != _MAGIC:
        raise ValueError("it does not begin as one")
    width = 2 if content[6] == 1 else 4
    length = int.from_bytes(content[8 : 8 + width], "little")
    start = 8 + width + length
    if length > _HEADER_BYTES or start > len(content):
        raise ValueError("its header is cut off")
    header = ast.literal_eval(content[8 + width : start].decode("latin-1").strip())
    shape = header["shape"]
    known = isinstance(shape, tuple) and len(shape) <= _DIMENSIONS
    if not known or not all(type(one) is int and one >= 0 for one in shape):
        raise ValueError("its shape is none")
    return header["descr"], bool(header["fortran_order"]), shape, start


def _type(descr: object) -> tuple[str, str, int]:
    """Byte order, kind and size of `<f4`."""
    found = _WORD.fullmatch(descr) if isinstance(descr, str) else None
    if found is None:
        raise ValueError(f"its type is {descr}")
    return found[1] or "|", found[2], int(found[3])


def _swapped(data: bytes, size: int) -> bytes:
    words = array({1: "B", 2: "H", 4: "I", 8: "Q"}[size], data)
    words.byteswap()
    return words.tobytes()


def _row_major(data: bytes, shape: tuple[int, ...], letter: str) -> bytes:
    """Column-major numbers in row-major order."""
    values = struct.unpack(f"<{math.prod(shape)}{letter}", data)
    positions = [0]
    stride = 1
    for size in shape:
        steps = [step * stride for step in range(size)]
        positions = [before + step for before in positions for step in steps]
        stride *= size
    return struct.pack(f"<{len(values)}{letter}", *(values[one] for one in positions))


def _invalid(message: str) -> InvalidError:
    hint = "one array of numbers for each input of the model, as numpy.savez writes them"
    return InvalidError(Problem(reason=Reason.BAD_DATA, message=message, hint=hint))
