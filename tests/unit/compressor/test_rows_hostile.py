"""Archives that lie about themselves are refused before they cost memory or run anything."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from shoal.compressor.sources import archive
from shoal.compressor.sources.signature import Signature, Tensor
from shoal.contract.problem import InvalidError

IMAGE = Tensor(name="image", dtype="float32", shape=(None, 1, 2, 2))


def _encrypted(folder: Path) -> Path:
    path = folder / "rows.npz"
    np.savez(path, image=np.zeros((3, 1, 2, 2), np.float32))
    data = bytearray(path.read_bytes())
    for flags in (6, data.find(b"PK\x01\x02") + 8):
        data[flags] |= 1
    path.write_bytes(data)
    return path


def _without_an_array(folder: Path) -> Path:
    path = folder / "rows.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("image", b"hello")
    return path


def _header(shape: str) -> bytes:
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}"
    return b"\x93NUMPY\x01\x00\x76\x00" + text.encode().ljust(117) + b"\n"


def _larger_than_memory(folder: Path) -> Path:
    path = folder / "rows.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("image.npy", _header("(99999999999999, 4)"))
    return path


def _larger_than_its_bytes(folder: Path) -> Path:
    """Numbers that would be there only as untouched memory."""
    path = folder / "rows.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("image.npy", _header("(200000000, 4)") + b"\0" * 64)
    return path


def _declaring_less_than_it_holds(folder: Path) -> Path:
    path = folder / "rows.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("image.npy", _header("(100000, 1, 2, 2)") + b"\0" * 1_600_000)
    data = bytearray(path.read_bytes())
    at = data.find(b"PK\x01\x02") + 24
    data[at : at + 4] = (200).to_bytes(4, "little")
    path.write_bytes(data)
    return path


def _unpacking_to_more_than_the_limit(folder: Path) -> Path:
    path = _without_an_array(folder)
    data = bytearray(path.read_bytes())
    at = data.find(b"PK\x01\x02") + 24
    data[at : at + 4] = (2**32 - 2).to_bytes(4, "little")
    more = folder / "more.npz"
    more.write_bytes(data)
    return more


@pytest.mark.parametrize(
    "make",
    [
        *(_encrypted, _without_an_array, _larger_than_memory, _larger_than_its_bytes),
        *(_declaring_less_than_it_holds, _unpacking_to_more_than_the_limit),
    ],
)
def test_a_hostile_archive_is_refused(make: Callable[[Path], Path], tmp_path: Path) -> None:
    with pytest.raises(InvalidError) as caught:
        archive.read(make(tmp_path), Signature(inputs=(IMAGE,), outputs=()), "--calibration")
    assert caught.value.problem.reason == "BadData"
