"""The Open Inference Protocol as clients see it, over TCP and a unix socket."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from onnx import TensorProto
from shoal.contract import digest
from shoal.contract.limits import INFER_BODY_BYTES

from tests.e2e.engines import DEPLOYMENT, MODEL, Bench, a_request, a_slot, an_engine, until
from tests.unit.agent_serve import models

INFER = f"/v2/models/{MODEL}/infer"
FEEDBACK = f"/v2/models/{MODEL}/feedback"
ROW = [1.0, 5.0, 2.0, 0.0]  # the answer of `models.pick` is class 1

Scenario = Callable[[Bench, httpx.AsyncClient], Awaitable[None]]


def run(folder: Path, scenario: Scenario) -> None:
    async def main() -> None:
        async with an_engine(folder) as bench, bench.tcp() as client:
            await scenario(bench, client)

    asyncio.run(main())


def binary(
    tensors: Mapping[str, np.ndarray[Any, Any]], datatype: str, **extra: Any
) -> tuple[bytes, dict[str, str]]:
    inputs = [
        {
            "name": name,
            "datatype": datatype,
            "shape": list(array.shape),
            "parameters": {"binary_data_size": array.nbytes},
        }
        for name, array in tensors.items()
    ]
    head = json.dumps({"inputs": inputs, **extra}).encode()
    body = head + b"".join(array.tobytes() for array in tensors.values())
    return body, {"Inference-Header-Content-Length": str(len(head))}


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


def one(**changes: Any) -> dict[str, Any]:
    tensor = {"name": "x", "datatype": "FP32", "shape": [1, 4], "data": ROW}
    return {"inputs": [{**tensor, **changes}]}


BAD_REQUESTS = {
    "not JSON": "[1,",
    "must be a JSON object": [1],
    "inputs must be a list of objects": {},
    "needs a name": {"inputs": [{"datatype": "FP32"}]},
    "no input 'z'; it has x": one(name="z"),
    "also needs input x": {"inputs": []},
    "is given twice": {"inputs": one()["inputs"] * 2},
    "BYTES tensors are not supported": one(datatype="BYTES"),
    "'FP12' is not one of": one(datatype="FP12"),
    "must be FP32, not INT32": one(datatype="INT32"),
    "shape must be a list": one(shape=4),
    "-1 is not a size": one(shape=[-1, 4]),
    "has shape [4]; the model takes [-1, 4]": one(shape=[4]),
    "has shape [1, 5]": one(shape=[1, 5]),
    "does not fit its shape": one(data=[1.0]),
    "data is not of type FP32": one(data=["a", "b", "c", "d"]),
    "data must be a list": one(data=None),
    "no output 'z'": {**one(), "outputs": [{"name": "z"}]},
    "id must be a string": {**one(), "id": 7},
    "classification is not supported": {
        **one(),
        "outputs": [{"name": "scores", "parameters": {"classification": 2}}],
    },
    "shared_memory_region is not supported": one(parameters={"shared_memory_region": "r"}),
    "binary_data_size goes beyond the body": one(parameters={"binary_data_size": 16}),
}


def test_what_does_not_fit_is_answered_400_with_what_and_why(tmp_path: Path) -> None:
    async def scenario(bench: Bench, client: httpx.AsyncClient) -> None:
        await bench.serve(models.pick(tmp_path / "m"), 1)
        for why, request in BAD_REQUESTS.items():
            content = request if isinstance(request, str) else json.dumps(request)
            answer = await client.post(INFER, content=content)
            assert answer.status_code == 400, why
            assert list(answer.json()) == ["error"]
            assert why in answer.json()["error"]
        counters = await bench.engine.counters(DEPLOYMENT)
        assert (counters.good, counters.errors) == (0, 0)  # a client's fault is not the model's

    run(tmp_path, scenario)


def test_binary_bodies_must_be_as_long_as_they_say(tmp_path: Path) -> None:
    async def scenario(bench: Bench, client: httpx.AsyncClient) -> None:
        await bench.serve(models.pick(tmp_path / "m"), 1)
        body, headers = binary({"x": np.array([ROW], np.float32)}, "FP32")
        header = "Inference-Header-Content-Length"
        for content, length, why in (
            (body + b"x", headers[header], "1 bytes after the last binary tensor"),
            (body[:-1], headers[header], "binary_data_size goes beyond the body"),
            (body, str(len(body) + 1), "goes beyond the body"),
            (body, "-1", "must be a number"),
        ):
            answer = await client.post(INFER, content=content, headers={header: length})
            assert (answer.status_code, why in answer.json()["error"]) == (400, True), why

    run(tmp_path, scenario)


def test_other_paths_and_methods_are_refused(tmp_path: Path) -> None:
    async def scenario(bench: Bench, client: httpx.AsyncClient) -> None:
        await bench.serve(models.pick(tmp_path / "m"), 1)
        assert (await client.get("/v1/models")).status_code == 404
        assert (await client.get(f"/v2/models/{MODEL}/versions/2")).status_code == 404
        assert (await client.post("/v2/models/other/infer", json=one())).status_code == 404
        assert (await client.post(f"/v2/models/{MODEL}/versions/2/infer")).status_code == 404
        assert (await client.get(INFER)).status_code == 405
        assert (await client.delete("/v2")).status_code == 405

    run(tmp_path, scenario)


def test_a_body_above_the_limit_is_refused_before_it_is_sent(tmp_path: Path) -> None:
    async def scenario(bench: Bench, client: httpx.AsyncClient) -> None:
        await bench.serve(models.pick(tmp_path / "m"), 1)
        reader, writer = await asyncio.open_connection("127.0.0.1", bench.port)
        head = f"POST {INFER} HTTP/1.1\r\nHost: x\r\nContent-Length: {INFER_BODY_BYTES + 1}\r\n\r\n"
        writer.write(head.encode())
        assert (await reader.readline()).startswith(b"HTTP/1.1 413 ")
        writer.close()
        await writer.wait_closed()
        assert (await client.post(INFER, json=one())).status_code == 200

    run(tmp_path, scenario)


def test_labels_fed_back_count_for_the_variant_that_answered(tmp_path: Path) -> None:
    async def scenario(bench: Bench, client: httpx.AsyncClient) -> None:
        first, second = models.always(tmp_path / "a", 0), models.always(tmp_path / "b", 1)
        await bench.serve(first, 1)
        old = [(await client.post(INFER, json=one())).json()["id"] for _ in range(3)]
        await bench.serve(second, 2)
        new = (await client.post(INFER, json=one())).json()["id"]
        for request, label, correct in ((old[0], 0, 1), (old[1], 2, 0), (new, 1, 1)):
            answer = await client.post(FEEDBACK, json={"id": request, "label": label})
            assert answer.json() == {"id": request, "correct": correct}
        again = await client.post(FEEDBACK, json={"id": new, "label": 1})
        assert again.status_code == 404
        assert (await client.post(FEEDBACK, json={"id": "never"})).status_code == 400
        wrong = await client.post(FEEDBACK, json={"id": old[2], "label": "cat"})
        assert wrong.status_code == 400
        await bench.engine.stop()
        totals = {
            path: [w for w in bench.windows if w.variant == digest.of_file(path)]
            for path in (first, second)
        }
        assert [sum(w.labelled for w in totals[p]) for p in (first, second)] == [2, 1]
        assert [sum(w.correct for w in totals[p]) for p in (first, second)] == [1, 1]
        assert [sum(w.requests for w in totals[p]) for p in (first, second)] == [3, 1]

    run(tmp_path, scenario)


def test_windows_carry_latency_classes_and_memory(tmp_path: Path) -> None:
    async def scenario(bench: Bench, client: httpx.AsyncClient) -> None:
        await bench.engine.configure(0.05)
        await bench.serve(models.pick(tmp_path / "m"), 1)
        for row in (ROW, ROW, [9.0, 0.0, 0.0, 0.0]):
            await client.post(INFER, json=a_request([row]))
        await until(lambda: sum(w.requests for w in bench.windows) == 3)
        seen = [w for w in bench.windows if w.requests]
        assert sum(w.latency_ms.count for w in seen) == 3
        assert sum(dict(w.classes).get(1, 0) for w in seen) == 2
        assert sum(dict(w.classes).get(0, 0) for w in seen) == 1
        assert all(w.deployment == DEPLOYMENT and w.generation == 1 for w in seen)
        assert all(w.rss_bytes > 0 and w.duration_ms > 0 for w in seen)

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


@pytest.mark.parametrize("batch", [1, "n"])
def test_the_golden_set_is_answered_by_the_active_slot(tmp_path: Path, batch: int | str) -> None:
    async def scenario(bench: Bench, _: httpx.AsyncClient) -> None:
        await bench.serve(models.pick(tmp_path / "m", batch), 4)
        rows = np.eye(3, 4, dtype=np.float32)
        np.savez(tmp_path / "golden.npz", x=rows, y=np.arange(3))
        path = tmp_path / "golden.npz"
        assert await bench.engine.golden(DEPLOYMENT, 4, path) == (0, 1, 2)
        counters = await bench.engine.counters(DEPLOYMENT)
        assert counters.good == 0  # the golden set is no client

    run(tmp_path, scenario)
