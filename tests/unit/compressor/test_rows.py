"""Rows are held against the model's inputs before anything runs."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shoal.compressor.sources import archive, splits
from shoal.compressor.sources.rows import Rows
from shoal.compressor.sources.signature import Signature, Tensor
from shoal.contract.problem import InvalidError, NotFoundError

IMAGE = Tensor(name="image", dtype="float32", shape=(None, 1, 2, 2))
IDS = Tensor(name="ids", dtype="int64", shape=(1, 3))


def read(folder: Path, arrays: dict[str, Any], *tensors: Tensor) -> Rows:
    path = folder / "rows.npz"
    np.savez(path, **arrays)
    return archive.read(path, Signature(inputs=tensors or (IMAGE,), outputs=()), "--calibration")


def images(count: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=(count, 1, 2, 2)).astype(np.float32)


def test_a_row_is_fed_with_a_batch_of_one(tmp_path: Path) -> None:
    rows = read(tmp_path, {"image": images(5), "y": np.arange(5)})
    assert rows.count == 5
    assert rows.feed(2)["image"].shape == (1, 1, 2, 2)
    assert rows.labels is not None


def test_rows_take_the_place_of_a_first_dimension_of_one(tmp_path: Path) -> None:
    rows = read(tmp_path, {"ids": np.zeros((7, 3), np.int64)}, IDS)
    assert rows.feed(6)["ids"].shape == (1, 3)


def test_rows_may_stand_before_the_whole_shape(tmp_path: Path) -> None:
    fixed = Tensor(name="window", dtype="float32", shape=(4, 3))
    rows = read(tmp_path, {"window": np.zeros((9, 4, 3), np.float32)}, fixed)
    assert rows.count == 9
    assert rows.feed(0)["window"].shape == (4, 3)


def test_a_number_is_fed_with_every_row(tmp_path: Path) -> None:
    gain = Tensor(name="gain", dtype="float32", shape=(1, 1))
    rows = read(tmp_path, {"image": images(3), "gain": np.float32(2)}, IMAGE, gain)
    assert rows.feed(1)["gain"].tolist() == [[2.0]]


def test_the_only_input_may_be_called_x(tmp_path: Path) -> None:
    assert list(read(tmp_path, {"x": images(3)}).inputs) == ["image"]


@pytest.mark.parametrize(
    ("arrays", "told"),
    [
        ({"imge": images(3)}, "did you mean 'image'?"),
        ({"y": np.arange(3)}, "has no array for the input 'image'"),
        ({"image": images(3), "other": images(3)}, "'other' that is no input"),
        ({"image": images(3).astype(np.float64)}, "as float64; the model takes float32"),
        ({"image": images(3)[:, :, :1]}, "the model takes [*, 1, 2, 2] a row"),
        ({"image": images(3)[0, 0]}, "with shape [2, 2]"),
        ({"image": images(0)}, "has no rows"),
        ({"image": images(3), "y": np.arange(4)}, "different numbers of rows"),
        ({"image": np.array([[1], "a"], dtype=object)}, "array of Python objects"),
        ({"image": np.full((3, 1, 2, 2), np.nan, np.float32)}, "not finite numbers"),
    ],
)
def test_rows_that_do_not_fit_are_named(tmp_path: Path, arrays: Any, told: str) -> None:
    with pytest.raises(InvalidError) as caught:
        read(tmp_path, arrays)
    problem = caught.value.problem
    assert problem.reason == "BadData"
    assert problem.field == "--calibration"
    assert told in f"{problem.message} {problem.hint}"


def test_a_file_that_is_no_archive_is_bad_data(tmp_path: Path) -> None:
    path = tmp_path / "rows.npz"
    path.write_bytes(b"not a zip")
    with pytest.raises(InvalidError, match=r"not a readable \.npz"):
        archive.read(path, Signature(inputs=(IMAGE,), outputs=()), "--train")


def test_an_absent_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        archive.read(tmp_path / "none.npz", Signature(inputs=(IMAGE,), outputs=()), "--train")


def rows_of(array: Any, labels: Any = None) -> Rows:
    return Rows(
        inputs={"image": array},
        constants={},
        labels=labels,
        count=len(array),
        whole=frozenset(),
    )


def test_a_row_shared_by_calibration_and_evaluation_is_named() -> None:
    evaluation = images(10, seed=1)
    evaluation[4], evaluation[7] = images(30)[[2, 9]]
    told = "row 2 of calibration is row 4 of evaluation, and 1 more are in both"
    with pytest.raises(InvalidError, match=told):
        splits.divide(rows_of(images(30)), None, rows_of(evaluation), 0)


def test_validation_rows_are_in_neither_train_nor_calibration() -> None:
    everything = images(100)
    train = rows_of(everything, np.arange(100) % 3)
    data = splits.divide(rows_of(everything[:40]), train, rows_of(images(9, seed=1)), 0)
    held = set(data.validation.row_keys())
    assert data.train is not None
    assert len(held) == 25
    assert not held & set(data.train.row_keys())
    assert not held & set(data.calibration.row_keys())
    assert data.train.count == 75


def test_without_training_rows_validation_comes_out_of_calibration() -> None:
    data = splits.divide(rows_of(images(40)), None, rows_of(images(9, seed=1)), 0)
    assert (data.validation.count, data.calibration.count) == (10, 30)
    assert not set(data.validation.row_keys()) & set(data.calibration.row_keys())


def test_the_same_seed_splits_alike_and_another_does_not() -> None:
    def held(seed: int) -> list[bytes]:
        rows = rows_of(images(60))
        return splits.divide(rows, None, rows_of(images(9, seed=1)), seed).validation.row_keys()

    assert held(0) == held(0)
    assert held(0) != held(1)


def test_too_few_calibration_rows_serve_both_and_it_is_said() -> None:
    data = splits.divide(rows_of(images(8)), None, rows_of(images(9, seed=1)), 0)
    assert data.validation.count == data.calibration.count == 8
    assert "only 8 calibration rows" in data.warnings[0]


def test_training_rows_that_judge_too_are_counted_in_a_warning() -> None:
    train = rows_of(images(50), np.arange(50) % 3)
    data = splits.divide(rows_of(images(30, seed=3)), train, rows_of(images(50)[:4]), 0)
    assert "4 rows of train are also in evaluation" in data.warnings[0]


def _encrypted(folder: Path) -> Path:
    path = folder / "rows.npz"
    np.savez(path, image=images(3))
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


def _larger_than_memory(folder: Path) -> Path:
    path = folder / "rows.npz"
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999, 4), }".ljust(117)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("image.npy", b"\x93NUMPY\x01\x00\x76\x00" + header + b"\n")
    return path


@pytest.mark.parametrize("make", [_encrypted, _without_an_array, _larger_than_memory])
def test_a_hostile_archive_is_refused(make: Callable[[Path], Path], tmp_path: Path) -> None:
    with pytest.raises(InvalidError) as caught:
        archive.read(make(tmp_path), Signature(inputs=(IMAGE,), outputs=()), "--calibration")
    assert caught.value.problem.reason == "BadData"
