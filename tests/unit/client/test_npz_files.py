"""Arrays of .npz files are read as numpy wrote them, without numpy."""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shoal.client import npz
from shoal.contract.problem import InvalidError


def saved(folder: Path, array: Any) -> npz.Tensor:
    path = folder / "one.npz"
    np.savez(path, a=array)
    return npz.read(path)["a"]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    "kind", ["b1", "u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8"]
)
def test_numbers_of_every_type_and_order(tmp_path: Path, order: str, kind: str) -> None:
    array = np.arange(6).reshape(2, 3).astype(f"{order}{kind}")
    tensor = saved(tmp_path, array)
    assert tensor.shape == (2, 3)
    assert tensor.values() == array.ravel().tolist()
    assert tensor.row(1).values() == array[1].tolist()


def test_columns_first_becomes_rows_first(tmp_path: Path) -> None:
    array = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    assert saved(tmp_path, np.asfortranarray(array)).values() == array.ravel().tolist()


def test_scalars_and_empty_arrays_are_arrays(tmp_path: Path) -> None:
    assert saved(tmp_path, np.float32(2.5)).values() == [2.5]
    assert saved(tmp_path, np.zeros((0, 3), np.int8)).shape == (0, 3)


def test_numbers_become_another_type_where_they_fit_it(tmp_path: Path) -> None:
    doubles = saved(tmp_path, np.array([1.0, 2.0]))
    assert doubles.as_type("FP32").values() == [1.0, 2.0]
    assert doubles.as_type("INT8").values() == [1, 2]
    for value, datatype in ((0.5, "INT32"), (300.0, "UINT8"), (float("nan"), "INT64")):
        with pytest.raises(InvalidError, match=f"FP64 does not fit {datatype}"):
            saved(tmp_path, np.array([value])).as_type(datatype)


@pytest.mark.parametrize("change", ["cut", "grow", "magic", "header"])
def test_broken_arrays_are_refused(tmp_path: Path, change: str) -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.arange(8, dtype=np.float32))
    content = buffer.getvalue()
    broken = {
        "cut": content[:-1],
        "grow": content + b"x",
        "magic": b"x" + content[1:],
        "header": content.replace(b"'shape'", b"'shave'"),
    }[change]
    path = tmp_path / "one.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", broken)
    with pytest.raises(InvalidError):
        npz.read(path)
