"""Requests that the engine refuses, each with its status and its sentence."""

import asyncio
import json
from pathlib import Path

import httpx
import numpy as np

from shoal.contract.limits import INFER_BODY_BYTES
from tests.e2e.engine_calls import INFER, ROW, binary, one, run
from tests.e2e.engines import DEPLOYMENT, MODEL, Bench
from tests.unit.agent_serve import models

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
