"""model import, schema, doctor: models from elsewhere, schemas for editors, what is wrong here."""

import http.server
import json
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

from shoal.contract import digest
from tests.unit.cli import fleet
from tests.unit.cli.conftest import Shoal
from tests.unit.client.api_server import ApiServer


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - named by the base class
        del format, args


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", [value], [out])
    onnx.save_model(helper.make_model(graph), str(tmp_path / "digits.onnx"))
    for name in ("calibration.npz", "evaluation.npz"):
        (tmp_path / name).write_text(name)
    return tmp_path


@pytest.fixture
def elsewhere(folder: Path) -> Iterator[str]:
    """The URL of a server with the files of `folder`."""
    handler = partial(_Quiet, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_model_is_fetched_checked_and_uploaded(
    api: ApiServer, shoal: Shoal, folder: Path, elsewhere: str
) -> None:
    wanted = digest.of_file(folder / "digits.onnx")
    ran = shoal("model", "import", f"{elsewhere}/digits.onnx")
    assert (ran.code, ran.out) == (0, f"{wanted}\n")
    assert "plain http" in ran.err
    assert api.blobs[wanted] == (folder / "digits.onnx").read_bytes()
    assert not api.resources


def test_a_new_model_is_made_with_its_data(
    api: ApiServer, shoal: Shoal, folder: Path, elsewhere: str
) -> None:
    wanted = digest.of_file(folder / "digits.onnx")
    data = ("--calibration", str(folder / "calibration.npz"), "--evaluation")
    line = ("model", "import", f"{elsewhere}/digits.onnx", "--name", "digits", "--sha256", wanted)
    ran = shoal(*line, *data, f"{elsewhere}/evaluation.npz")
    assert (ran.code, ran.out, ran.err) == (0, "model/digits created\n", "")
    spec = api.resources["Model", "default", "digits"]["spec"]
    assert spec["source"] == wanted
    assert spec["data"]["evaluation"] == digest.of_bytes(b"evaluation.npz")


def test_a_known_model_keeps_its_data(api: ApiServer, shoal: Shoal, folder: Path) -> None:
    model = fleet.a_model()
    model["spec"]["data"] = {"calibration": fleet.DIGEST, "evaluation": digest.of_bytes(b"e")}
    api.store(model)
    ran = shoal("model", "import", str(folder / "digits.onnx"), "--name", "digits", "-o", "json")
    assert ran.code == 0, ran.out
    assert ran.json["spec"]["source"] == digest.of_file(folder / "digits.onnx")
    assert ran.json["spec"]["data"] == model["spec"]["data"]


@pytest.mark.parametrize(
    ("line", "code", "reason"),
    [
        ("http://127.0.0.1:1/digits.pkl", 2, "UnsafeFormat"),
        ("http://127.0.0.1:1/digits.onnx", 1, "FetchFailed"),
        ("{folder}/none.onnx", 3, "NotFound"),
        ("{folder}/digits.onnx --sha256 00", 1, "DigestMismatch"),
        ("{folder}/digits.onnx --train x.npz", 2, "Invalid"),
        ("{folder}/digits.onnx --name new", 2, "Invalid"),
    ],
)
def test_what_is_wrong_is_told_and_nothing_is_stored(
    api: ApiServer, shoal: Shoal, folder: Path, line: str, code: int, reason: str
) -> None:
    ran = shoal("model", "import", *line.format(folder=folder).split(), "-o", "json")
    assert (ran.code, ran.json["error"]["reason"]) == (code, reason)
    assert not api.resources
    assert not api.blobs


@pytest.mark.parametrize("url", ["file:///tmp/digits.onnx", "s3://models/digits.onnx"])
def test_an_address_that_is_not_fetched_is_refused_as_such(shoal: Shoal, url: str) -> None:
    ran = shoal("model", "import", url, "-o", "json")
    assert ran.code == 2
    assert ran.json["error"]["message"] == (
        f"{url.partition(':')[0]}:// is no address that is fetched from: http:// and https:// are"
    )
    assert ran.json["error"]["hint"] == "a file of this machine is named by its path alone"


def test_a_missing_model_is_told_in_one_line(shoal: Shoal, elsewhere: str) -> None:
    ran = shoal("model", "import", f"{elsewhere}/none.onnx", "-o", "json")
    error = ran.json["error"]
    assert (ran.code, error["reason"]) == (1, "FetchFailed")
    assert error["message"] == f"{elsewhere}/none.onnx could not be fetched: it answered 404"


@pytest.mark.parametrize("kind", ["device", "deviceprofile", "Model", "deployments", "variant"])
def test_every_kind_has_a_schema(shoal: Shoal, kind: str) -> None:
    schema = json.loads(shoal("schema", kind).out)
    assert schema["$schema"].startswith("https://json-schema.org/")
    assert {"spec", "metadata"} <= schema["properties"].keys()


def test_a_healthy_fleet_has_nothing_to_report(api: ApiServer, shoal: Shoal) -> None:
    api.store(fleet.a_device())
    api.store(fleet.a_deployment("complete"))
    told = shoal("doctor", "-o", "json")
    assert told.code == 0
    assert told.json["healthy"]
    health = {one["name"]: one["health"] for one in told.json["checks"]}
    assert health["devices"] == health["deployments"] == health["clock"] == "ok"
    assert health["controller"] == "warn"  # it is of another version


def test_what_is_wrong_with_a_fleet_is_named_with_a_next_step(api: ApiServer, shoal: Shoal) -> None:
    api.store(fleet.a_device("cam-1"))
    api.store(fleet.a_device("cam-2", ready="False"))
    api.store(fleet.a_deployment("held"))
    ran = shoal("doctor")
    assert ran.code == 0
    assert "1 of 2 devices ready; not: cam-2" in ran.out
    assert "try: shoal describe device cam-2" in ran.out
    assert "try: shoal rollout status digits" in ran.out
    assert max(len(line) for line in ran.out.splitlines()) <= 80
    assert shoal("doctor", "-o", "name").out.split() == ["controller", "devices", "deployments"]


def test_no_controller_is_exit_5_and_one_document(shoal: Shoal) -> None:
    ran = shoal("doctor", "--server", "http://127.0.0.1:1", "-o", "json")
    assert ran.code == 5
    assert not ran.json["healthy"]
