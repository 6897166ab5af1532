"""Rows are held against the model's inputs before anything runs."""

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
        (
            {"imge": images(3)},
            (
                "has an array 'imge' that is no input of the model | did you mean 'image'? "
                "the model's inputs are 'image'; labels are called 'y'"
            ),
        ),
        ({"y": np.arange(3)}, "has no array for the input 'image' | the model's inputs are"),
        ({"image": images(3), "other": images(3)}, "'other' that is no input"),
        (
            {"image": images(3).astype(np.float64)},
            (
                "has 'image' as float64; the model takes float32 | "
                "convert it: array.astype(numpy.float32)"
            ),
        ),
        (
            {"image": images(3)[:, :, :1]},
            (
                "has 'image' with shape [3, 1, 1, 2]; the model takes [*, 1, 2, 2] a row | "
                "put the row axis first, in the place of the model's first dimension"
            ),
        ),
        ({"image": images(3)[0, 0]}, "with shape [2, 2]; the model takes [*, 1, 2, 2] a row"),
        ({"image": images(0)}, "has no rows | give at least one row"),
        ({"image": np.float32(1)}, "has no rows: every array is a constant | give one array"),
        ({"image": images(3), "y": np.arange(4)}, "different numbers of rows: 'image' 3, 'y' 4"),
        ({"image": images(3), "y": np.int64(4)}, "has labels 'y' that are one number"),
        (
            {"image": np.array([[1], "a"], dtype=object)},
            (
                "holds an array of Python objects ('image'), which cannot be read "
                "without running a pickle | store numbers"
            ),
        ),
        (
            {"image": np.concatenate([images(2), np.full((1, 1, 2, 2), np.nan, "f")])},
            "has values in 'image' that are not finite numbers, first in row 2 | drop such rows",
        ),
        ({"image": images(3), "a.image": images(3)}, "has no array for the input 'b.image'"),
        (
            {"a.image": images(3), "b.image": images(4)},
            "different numbers of rows: 'a' 3, 'b' 4",
        ),
    ],
)
def test_rows_that_do_not_fit_are_named(tmp_path: Path, arrays: Any, told: str) -> None:
    with pytest.raises(InvalidError) as caught:
        read(tmp_path, arrays)
    problem = caught.value.problem
    assert problem.reason == "BadData"
    assert problem.field == "--calibration"
    assert told in f"{problem.message} | {problem.hint}"


def test_rows_of_a_fixed_batch_are_whole_feeds(tmp_path: Path) -> None:
    fixed = Tensor(name="window", dtype="float32", shape=(4, 3))
    with pytest.raises(InvalidError) as caught:
        read(tmp_path, {"window": np.zeros((40, 3), np.float32)}, fixed)
    problem = caught.value.problem
    assert "has 'window' with shape [40, 3]; the model takes [4, 3] a row" in problem.message
    assert "fixed at 4" in str(problem.hint)
    assert "3 dimensions in all" in str(problem.hint)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int32", "float16", "float64"])
def test_inputs_of_any_element_type_and_rank(tmp_path: Path, dtype: str) -> None:
    flags = Tensor(name="flags", dtype=dtype, shape=(None,))
    rows = read(tmp_path, {"image": images(3), "flags": np.ones(3, dtype)}, IMAGE, flags)
    assert rows.feed(1)["flags"].shape == (1,)
    assert rows.feed(1)["flags"].dtype == np.dtype(dtype)


def test_numbers_of_the_other_byte_order_are_turned(tmp_path: Path) -> None:
    turned = read(tmp_path, {"image": images(3).astype(">f4")}).inputs["image"]
    assert turned.dtype.isnative
    assert (turned == images(3)).all()


def test_a_scalar_input_gets_one_number_a_row(tmp_path: Path) -> None:
    gain = Tensor(name="gain", dtype="float32", shape=())
    rows = read(tmp_path, {"image": images(3), "gain": np.ones(3, np.float32)}, IMAGE, gain)
    assert rows.feed(1)["gain"].shape == ()
    same = read(tmp_path, {"image": images(3), "gain": np.float32(1)}, IMAGE, gain)
    assert (same.constants["gain"].shape, same.feed(1)["gain"].shape) == ((), ())


def test_both_rows_of_a_pair_follow_one_another(tmp_path: Path) -> None:
    a, b = images(3), images(3, seed=1)
    rows = read(tmp_path, {"a.x": a, "b.x": b, "y": np.arange(3) / 3})
    assert (rows.count, rows.pairs) == (6, True)
    assert np.array_equal(rows.inputs["image"][2:4], np.stack([a[1], b[1]]))
    taken = rows.take(np.array([4, 5, 0, 1]))
    assert taken.labels is not None
    assert taken.labels.tolist() == [2 / 3, 0]
    assert rows.alone().labels is None


def test_pairs_stay_together_in_a_split(tmp_path: Path) -> None:
    train = read(tmp_path, {"a.x": images(40), "b.x": images(40, seed=1), "y": np.arange(40)})
    data = splits.divide(rows_of(images(30, seed=2)), train, rows_of(images(9, seed=3)), 0)
    assert data.train is not None
    assert (data.validation.count, data.train.count, data.train.labels) == (20, 60, None)
    assert data.validation.labels is not None
    firsts = train.inputs["image"][0::2][data.validation.labels]
    assert np.array_equal(data.validation.inputs["image"][0::2], firsts)


def test_a_row_shared_with_a_pair_is_named_with_its_side(tmp_path: Path) -> None:
    pairs = read(tmp_path, {"a.x": images(5), "b.x": images(5, seed=1)})
    calibration = rows_of(np.concatenate([images(3, seed=4), images(5, seed=1)[2:3]]))
    with pytest.raises(InvalidError, match=r"row 3 of calibration is row 2 \(b\) of evaluation"):
        splits.divide(calibration, None, pairs, 0)


def test_an_input_called_as_labels_are_is_an_input(tmp_path: Path) -> None:
    labels = Tensor(name="y", dtype="float32", shape=(None, 2))
    rows = read(tmp_path, {"image": images(3), "y": np.zeros((3, 2), np.float32)}, IMAGE, labels)
    assert rows.labels is None
    assert set(rows.inputs) == {"image", "y"}


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
    with pytest.raises(InvalidError, match=told) as caught:
        splits.divide(rows_of(images(30)), None, rows_of(evaluation), 0)
    assert str(caught.value.problem.hint).endswith("drop rows 2, 9 of calibration")


def test_keys_and_prints_tell_rows_apart() -> None:
    one, other = images(50), images(50)
    other[7, 0, 1, 1] += np.float32(1e-6)
    keys, others = rows_of(one).row_keys(), rows_of(other).row_keys()
    assert [i for i, (a, b) in enumerate(zip(keys, others, strict=True)) if a != b] == [7]
    prints = {rows_of(one).fingerprint(), rows_of(other).fingerprint()}
    prints |= {rows_of(one, np.arange(50)).fingerprint(), rows_of(one[:, :, ::-1]).fingerprint()}
    assert len(prints) == 4


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


def test_training_rows_without_labels_are_said_to_be_useless() -> None:
    data = splits.divide(rows_of(images(40)), rows_of(images(9, seed=2)), rows_of(images(9, 1)), 0)
    assert data.train is None
    assert "train has no labels 'y'" in data.warnings[0]


def test_training_rows_that_judge_too_are_counted_in_a_warning() -> None:
    train = rows_of(images(50), np.arange(50) % 3)
    data = splits.divide(rows_of(images(30, seed=3)), train, rows_of(images(50)[:4]), 0)
    assert "4 rows of train are also in evaluation" in data.warnings[0]
