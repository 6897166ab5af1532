"""The Open Inference Protocol as clients see it, over TCP and a unix socket."""

import json
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from onnx import TensorProto

from shoal.contract import digest
from tests.e2e.engine_calls import INFER, ROW, binary, one, run
from tests.e2e.engines import DEPLOYMENT, MODEL, Bench, a_request, a_slot
from tests.unit.agent_serve import models


def test_a_fresh_engine_is_live_and_ready_and_has_no_models(tmp_path: Path) -> None:
    async def scenario(_: Bench, client: httpx.AsyncClient) -> None:
        assert (await client.get("/v2")).json()["name"] == "shoal"
        assert (await client.get("/v2/health/live")).status_code == 200
        assert (await client.get("/v2/health/ready")).status_code == 200
        answer = await client.get(f"/v2/models/{MODEL}")
        assert answer.status_code == 404
        assert answer.json() == {"error": f"there is no model {MODEL!r} on this device"}

    run(tmp_path, scenario)


def test_a_staged_model_is_not_ready_until_it_is_active(tmp_path: Path) -> None:
    async def scenario(bench: Bench, client: httpx.AsyncClient) -> None:
        await bench.engine.load(a_slot(models.pick(tmp_path / "m"), 1))
        assert (await client.get("/v2/health/ready")).status_code == 503
        assert (await client.get(f"/v2/models/{MODEL}/ready")).status_code == 503
        assert (await client.post(INFER, json=a_request([ROW]))).status_code == 503
        await bench.engine.activate(DEPLOYMENT, 1)
        assert (await client.get("/v2/health/ready")).status_code == 200
        assert (await client.get(f"/v2/models/{MODEL}/ready")).status_code == 200

    run(tmp_path, scenario)


def test_metadata_tells_tensors_version_and_variant(tmp_path: Path) -> None:
    async def scenario(bench: Bench, client: httpx.AsyncClient) -> None:
        path = models.labelled(tmp_path / "m")
        await bench.serve(path, 7)
        expected = {
            "name": MODEL,
            "versions": ["7"],
            "platform": "onnxruntime_onnx",
            "inputs": [
                {"name": "a", "datatype": "FP32", "shape": [-1, 3]},
                {"name": "b", "datatype": "FP32", "shape": [-1, 3]},
            ],
            "outputs": [
                {"name": "scores", "datatype": "FP32", "shape": [-1, 3]},
                {"name": "label", "datatype": "INT64", "shape": [-1]},
            ],
            "parameters": {"variant": digest.of_file(path)},
        }
        assert (await client.get(f"/v2/models/{MODEL}")).json() == expected
        assert (await client.get(f"/v2/models/{MODEL}/versions/7")).json() == expected
        assert (await client.get(f"/v2/models/{MODEL}/versions/7/ready")).status_code == 200
        assert (await client.get(f"/v2/models/{MODEL}/versions/8/ready")).status_code == 404

    run(tmp_path, scenario)


def test_json_inference_echoes_the_id_and_names_the_variant(tmp_path: Path) -> None:
    async def scenario(bench: Bench, client: httpx.AsyncClient) -> None:
        path = models.pick(tmp_path / "m")
        await bench.serve(path, 1)
        for url in (INFER, f"/v2/models/{MODEL}/versions/1/infer"):
            answer = await client.post(url, json=a_request([ROW, ROW], id="mine"))
            assert answer.status_code == 200
            assert answer.headers["content-type"] == "application/json"
            assert answer.json() == {
                "model_name": MODEL,
                "model_version": "1",
                "id": "mine",
                "parameters": {"variant": digest.of_file(path)},
                "outputs": [
                    {
                        "name": "scores",
                        "datatype": "FP32",
                        "shape": [2, 3],
                        "data": [1.0, 5.0, 2.0, 1.0, 5.0, 2.0],
                    }
                ],
            }

    run(tmp_path, scenario)


def test_requests_without_an_id_get_different_ones(tmp_path: Path) -> None:
    async def scenario(bench: Bench, client: httpx.AsyncClient) -> None:
        await bench.serve(models.pick(tmp_path / "m"), 1)
        answers = [(await client.post(INFER, json=a_request([ROW]))).json() for _ in range(3)]
        assert len({answer["id"] for answer in answers}) == 3

    run(tmp_path, scenario)


def test_only_the_outputs_asked_for_are_sent(tmp_path: Path) -> None:
    async def scenario(bench: Bench, client: httpx.AsyncClient) -> None:
        await bench.serve(models.labelled(tmp_path / "m"), 1)
        tensor = {"datatype": "FP32", "shape": [1, 3], "data": [0.0, 0.0, 1.0]}
        request = {
            "inputs": [{"name": "a", **tensor}, {"name": "b", **tensor}],
            "outputs": [{"name": "label"}],
        }
        answer = (await client.post(INFER, json=request)).json()
        assert answer["outputs"] == [
            {"name": "label", "datatype": "INT64", "shape": [1], "data": [2]}
        ]

    run(tmp_path, scenario)


DATATYPES: dict[str, tuple[int, Any]] = {
    "BOOL": (TensorProto.BOOL, np.bool_),
    "UINT8": (TensorProto.UINT8, np.uint8),
    "UINT16": (TensorProto.UINT16, np.uint16),
    "UINT32": (TensorProto.UINT32, np.uint32),
    "UINT64": (TensorProto.UINT64, np.uint64),
    "INT8": (TensorProto.INT8, np.int8),
    "INT16": (TensorProto.INT16, np.int16),
    "INT32": (TensorProto.INT32, np.int32),
    "INT64": (TensorProto.INT64, np.int64),
    "FP16": (TensorProto.FLOAT16, np.float16),
    "FP32": (TensorProto.FLOAT, np.float32),
    "FP64": (TensorProto.DOUBLE, np.float64),
}


def test_every_datatype_goes_in_and_out_as_json_and_as_bytes(tmp_path: Path) -> None:
    async def scenario(bench: Bench, client: httpx.AsyncClient) -> None:
        for generation, (name, (kind, dtype)) in enumerate(DATATYPES.items(), 1):
            await bench.serve(models.identity(tmp_path / name, kind), generation)
            array: np.ndarray[Any, Any] = np.array([[1, 0], [0, 1]], dtype)
            plain = {"name": "x", "datatype": name, "shape": [2, 2], "data": array.tolist()}
            answer = (await client.post(INFER, json={"inputs": [plain]})).json()
            assert answer["outputs"] == [{**plain, "name": "y", "data": array.ravel().tolist()}]
            body, headers = binary(
                {"x": array}, name, outputs=[{"name": "y", "parameters": {"binary_data": True}}]
            )
            raw = await client.post(INFER, content=body, headers=headers)
            assert raw.status_code == 200, raw.text
            end = int(raw.headers["Inference-Header-Content-Length"])
            assert json.loads(raw.content[:end])["outputs"] == [
                {
                    "name": "y",
                    "datatype": name,
                    "shape": [2, 2],
                    "parameters": {"binary_data_size": array.nbytes},
                }
            ]
            assert raw.content[end:] == array.tobytes()

    run(tmp_path, scenario)


def test_binary_can_be_asked_for_all_outputs_and_refused_for_one(tmp_path: Path) -> None:
    async def scenario(bench: Bench, client: httpx.AsyncClient) -> None:
        await bench.serve(models.labelled(tmp_path / "m"), 1)
        array = np.array([[0, 1, 0]], np.float32)
        tensors = {"a": array, "b": array}
        body, headers = binary(tensors, "FP32", parameters={"binary_data_output": True})
        answer = await client.post(INFER, content=body, headers=headers)
        assert answer.headers["content-type"] == "application/octet-stream"
        end = int(answer.headers["Inference-Header-Content-Length"])
        assert answer.content[end:] == (2 * array).tobytes() + np.array([1]).tobytes()
        wanted = [{"name": "label", "parameters": {"binary_data": False}}, {"name": "scores"}]
        body, headers = binary(
            tensors, "FP32", outputs=wanted, parameters={"binary_data_output": True}
        )
        answer = await client.post(INFER, content=body, headers=headers)
        end = int(answer.headers["Inference-Header-Content-Length"])
        label, scores = json.loads(answer.content[:end])["outputs"]
        assert label["data"] == [1]
        assert scores["parameters"] == {"binary_data_size": 12}
        assert answer.content[end:] == (2 * array).tobytes()

    run(tmp_path, scenario)


def test_several_models_are_served_side_by_side_on_both_sockets(tmp_path: Path) -> None:
    async def scenario(bench: Bench, client: httpx.AsyncClient) -> None:
        await bench.serve(models.always(tmp_path / "a", 0), 1)
        await bench.serve(
            models.always(tmp_path / "b", 2), 1, deployment="default/other", model="other"
        )
        async with bench.unix() as unix:
            for caller in (client, unix):
                for name, answer in ((MODEL, 0), ("other", 2)):
                    reply = await caller.post(f"/v2/models/{name}/infer", json=one())
                    assert np.argmax(reply.json()["outputs"][0]["data"]) == answer
        await bench.engine.load(
            a_slot(models.pick(tmp_path / "c"), 1, deployment="default/new", model="new")
        )
        assert (await client.get("/v2/health/ready")).status_code == 200
        await bench.engine.remove("default/other")
        assert (await client.get("/v2/models/other")).status_code == 404
        assert (await client.get(f"/v2/models/{MODEL}/ready")).status_code == 200

    run(tmp_path, scenario)
