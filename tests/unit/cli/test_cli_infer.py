"""infer: rows of an .npz to the model that a device serves, and its answers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.cli import fleet, inference_server
from tests.unit.cli.conftest import Shoal
from tests.unit.cli.inference_server import InferenceServer
from tests.unit.client.api_server import ApiServer


@pytest.fixture
def engine(api: ApiServer) -> Iterator[InferenceServer]:
    """A device `cam-1` that serves."""
    with inference_server.serving() as server:
        device = fleet.a_device()
        device["status"]["servingUrl"] = server.address
        api.store(device)
        yield server


def an_npz(folder: Path, **arrays: Any) -> str:
    path = folder / "rows.npz"
    np.savez(path, **arrays)
    return str(path)


ROWS = np.array([[3.0, 0.0], [5.0, 0.0], [7.0, 0.0]], np.float32)


def test_every_row_is_asked_and_labels_stand_beside(
    engine: InferenceServer, shoal: Shoal, tmp_path: Path
) -> None:
    ran = shoal("infer", "cam-1", "--input", an_npz(tmp_path, x=ROWS, y=np.array([3, 5, 1])))
    assert ran.code == 0, ran.err
    titles, *rows = ran.out.splitlines()
    assert titles.split() == ["ROW", "TOOK", "Y", "ANSWER"]
    assert [row.split()[2:] for row in rows] == [
        ["3", "p", "class", "3", "of", "10", "(0.9)"],
        ["5", "p", "class", "5", "of", "10", "(0.9)"],
        ["1", "p", "class", "7", "of", "10", "(0.9)"],
    ]
    assert [one["image"]["shape"] for one in engine.asked] == [[1, 2]] * 3


def test_json_holds_the_whole_answer(engine: InferenceServer, shoal: Shoal, tmp_path: Path) -> None:
    del engine
    source = an_npz(tmp_path, image=ROWS.astype(np.uint8))
    told = shoal("infer", "device/cam-1", "--input", source, "--rows", "1", "-o", "json").json
    assert (told["device"], told["model"], told["version"]) == ("cam-1", "digits", "7")
    assert told["variant"].startswith("sha256:")
    assert [row["row"] for row in told["rows"]] == [0]
    assert len(told["rows"][0]["outputs"][0]["data"]) == 10


def test_a_constant_goes_with_every_row(
    engine: InferenceServer, shoal: Shoal, tmp_path: Path
) -> None:
    engine.inputs.append({"name": "scale", "datatype": "FP32", "shape": []})
    source = an_npz(tmp_path, image=ROWS[:, None, :], scale=np.float64(0.5))
    assert shoal("infer", "cam-1", "--input", source).code == 0
    assert [one["scale"]["data"] for one in engine.asked] == [(0.5,)] * 3


@pytest.mark.parametrize(
    "arrays",
    [
        {"x": ROWS[0]},
        {"x": ROWS, "extra": ROWS},
        {"nothing": ROWS},
        {"x": ROWS[:, None, None, :]},
        {"x": np.array([["a", "b"]])},
        {"x": np.array([[object(), None]])},
    ],
)
def test_arrays_that_do_not_fit_are_the_users_mistake(
    engine: InferenceServer, shoal: Shoal, tmp_path: Path, arrays: dict[str, Any]
) -> None:
    ran = shoal("infer", "cam-1", "--input", an_npz(tmp_path, **arrays), "-o", "json")
    assert (ran.code, ran.json["error"]["reason"]) == (2, "BadData")
    assert not engine.asked


@pytest.mark.parametrize(("status", "code"), [(400, 2), (404, 3), (503, 1)])
def test_a_refusal_of_the_device_is_told(
    engine: InferenceServer, shoal: Shoal, tmp_path: Path, status: int, code: int
) -> None:
    engine.refusal = (status, "not like this")
    ran = shoal("infer", "cam-1", "--input", an_npz(tmp_path, x=ROWS), "-o", "json")
    assert ran.code == code
    assert ran.json["error"]["message"] == f"the device answered {status}: not like this"


def test_a_device_out_of_reach_says_how_to_reach_it(
    api: ApiServer, shoal: Shoal, tmp_path: Path
) -> None:
    device = fleet.a_device()
    device["status"]["servingUrl"] = "http://127.0.0.1:1"
    api.store(device)
    ran = shoal("infer", "cam-1", "--input", an_npz(tmp_path, x=ROWS))
    assert ran.code == 5
    assert "--serve HOST:PORT" in ran.err


@pytest.mark.parametrize(
    ("status", "reason"),
    [({"running": []}, "NotServing"), ({"servingUrl": ""}, "NotServing")],
)
def test_a_device_that_serves_nothing_fails(
    api: ApiServer, shoal: Shoal, tmp_path: Path, status: dict[str, Any], reason: str
) -> None:
    device = fleet.a_device()
    device["status"].update(status)
    api.store(device)
    ran = shoal("infer", "cam-1", "--input", an_npz(tmp_path, x=ROWS), "-o", "json")
    assert (ran.code, ran.json["error"]["reason"]) == (1, reason)


def test_of_several_models_one_is_to_be_named(
    api: ApiServer, engine: InferenceServer, shoal: Shoal, tmp_path: Path
) -> None:
    device = fleet.a_device()
    device["status"]["servingUrl"] = engine.address
    device["status"]["running"].append({"deployment": "default/words", "model": "words"})
    api.store(device)
    line = ("infer", "cam-1", "--input", an_npz(tmp_path, x=ROWS))
    ran = shoal(*line)
    assert ran.code == 2
    assert "one of digits, words" in ran.err
    assert shoal(*line, "--model", "digits").code == 0


def test_no_file_and_no_npz_are_told_apart(shoal: Shoal, tmp_path: Path) -> None:
    (tmp_path / "rows.npz").write_text("hello")
    assert shoal("infer", "cam-1", "--input", str(tmp_path / "rows.npz")).code == 2
    assert shoal("infer", "cam-1", "--input", str(tmp_path / "none.npz")).code == 3
