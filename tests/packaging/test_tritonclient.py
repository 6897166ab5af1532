"""Triton's own Python client, unchanged, from a virtual environment of its own."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.engines import an_engine
from tests.unit.agent_serve import models

# Its protobuf pin is not ours, so it cannot share our environment.
REQUIREMENT = "tritonclient[http]==2.73.0"

CLIENT = """
import json, sys
import numpy as np
import tritonclient.http as triton

client = triton.InferenceServerClient(sys.argv[1])
rows = np.array([[1, 5, 2, 0], [9, 5, 2, 0]], np.float32)
seen = {
    "live": client.is_server_live(),
    "ready": client.is_server_ready(),
    "model_ready": client.is_model_ready("digits") and client.is_model_ready("digits", "1"),
    "server": client.get_server_metadata()["name"],
    "inputs": client.get_model_metadata("digits")["inputs"],
    "answers": [],
}
for binary_in in (True, False):
    for binary_out in (True, False, None):
        tensor = triton.InferInput("x", [2, 4], "FP32")
        tensor.set_data_from_numpy(rows, binary_data=binary_in)
        wanted = None
        if binary_out is not None:
            wanted = [triton.InferRequestedOutput("scores", binary_data=binary_out)]
        result = client.infer("digits", [tensor], outputs=wanted, request_id="mine")
        seen["answers"].append(result.as_numpy("scores").argmax(-1).tolist())
        seen["id"] = result.get_response()["id"]
later = client.async_infer("digits", [tensor]).get_result()
seen["answers"].append(later.as_numpy("scores").argmax(-1).tolist())
try:
    client.infer("absent", [tensor])
except triton.InferenceServerException as error:
    seen["error"] = error.status()
print(json.dumps(seen))
"""


@pytest.fixture(scope="module")
def client_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("triton")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    extra = os.environ.get("PIP_ARGS", "").split()
    pip = [str(folder / "bin" / "pip"), "install", "--quiet", *extra, REQUIREMENT]
    installed = subprocess.run(pip, capture_output=True, text=True, check=False)
    if installed.returncode != 0:
        pytest.skip(f"pip cannot install {REQUIREMENT}: {installed.stderr.strip()[-300:]}")
    return folder / "bin" / "python"


@pytest.mark.slow
def test_tritons_own_client_works_unchanged(tmp_path: Path, client_python: Path) -> None:
    async def main() -> dict[str, Any]:
        async with an_engine(tmp_path) as bench:
            await bench.serve(models.pick(tmp_path / "m"), 1)
            client = await asyncio.create_subprocess_exec(
                *(str(client_python), "-c", CLIENT, f"127.0.0.1:{bench.port}"),
                stdout=asyncio.subprocess.PIPE,
            )
            stdout, _ = await client.communicate()
            assert client.returncode == 0
            seen: dict[str, Any] = json.loads(stdout)
            return seen

    assert asyncio.run(main()) == {
        "live": True,
        "ready": True,
        "model_ready": True,
        "server": "shoal",
        "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 4]}],
        "answers": [[1, 0]] * 7,
        "id": "mine",
        "error": "404",
    }
