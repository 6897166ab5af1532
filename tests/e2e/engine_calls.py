"""HTTP callers of the engine, and the requests they send."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from tests.e2e.engines import MODEL, Bench, an_engine

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


def one(**changes: Any) -> dict[str, Any]:
    tensor = {"name": "x", "datatype": "FP32", "shape": [1, 4], "data": ROW}
    return {"inputs": [{**tensor, **changes}]}
