"""Every kind of variant file in real processes: proved by preflight, served, and swapped."""

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shoal.agent.core.ports import ProbeRequest
from shoal.agent.runtime.preflight import PreflightChild
from shoal.contract.assignment import Preflight
from tests.e2e.engine_calls import INFER
from tests.e2e.engines import a_request, an_engine, until
from tests.unit.agent_serve import forms
from tests.unit.agent_serve.test_runtimes import EACH, HAS_LITERT

MODEL, OTHER = forms.chain(0), forms.chain(1)
ROWS = forms.rows(24)
WANTED = forms.answers(MODEL, ROWS)


def golden_set(folder: Path) -> Path:
    np.savez(folder / "golden.npz", x=ROWS)
    return folder / "golden.npz"


def a_probe(folder: Path, candidate: Path, active: Path) -> ProbeRequest:
    """With the model's own answers as the reference."""
    reference = folder / "reference.npz"
    np.savez(reference, answers=WANTED.argmax(1).astype(np.int32), outputs=WANTED)
    return ProbeRequest(
        candidate=candidate,
        active=active,
        golden=golden_set(folder),
        reference=reference,
        limits=Preflight(min_agreement=1.0),
    )


@pytest.mark.parametrize("kind", EACH)
def test_a_candidate_of_any_kind_is_proved_beside_an_active_one(tmp_path: Path, kind: str) -> None:
    active = forms.save(tmp_path, "onnx", OTHER).rename(tmp_path / "active")
    request = a_probe(tmp_path, forms.save(tmp_path, kind, MODEL), active)
    passed = asyncio.run(PreflightChild(60).probe(request))
    assert passed.result.agreement == 1.0
    assert passed.result.latency_ratio is not None
    assert 0 < passed.result.peak_memory_bytes < 50_000_000  # the runtime is not the model's
    assert passed.active_answers == tuple(forms.answers(OTHER, ROWS).argmax(1))


@pytest.mark.parametrize("kind", EACH)
def test_an_active_variant_of_any_kind_is_compared_with(tmp_path: Path, kind: str) -> None:
    candidate = forms.save(tmp_path, "onnx", MODEL).rename(tmp_path / "candidate")
    request = a_probe(tmp_path, candidate, forms.save(tmp_path, kind, MODEL))
    passed = asyncio.run(PreflightChild(60).probe(request))
    assert passed.active_answers == tuple(WANTED.argmax(1))


def test_clients_do_not_see_which_kind_of_file_serves(tmp_path: Path) -> None:
    kinds = [one for one in forms.KINDS if one != "tflite" or HAS_LITERT]

    async def story() -> None:
        async with an_engine(tmp_path) as bench, bench.tcp(4) as client:
            answered: list[Any] = []
            over = asyncio.Event()

            async def ask() -> None:
                while not over.is_set():
                    reply = await client.post(INFER, json=a_request(ROWS[:3].tolist()))
                    assert reply.status_code == 200, reply.text
                    answered.append(reply.json())

            await bench.serve(forms.save(tmp_path, kinds[0], MODEL), 1)
            clients = [asyncio.create_task(ask()) for _ in range(4)]
            for generation, kind in enumerate([*kinds[1:], kinds[0]], 2):
                await bench.serve(forms.save(tmp_path, kind, MODEL), generation)
                enough = len(answered) + 20
                await until(lambda least=enough: len(answered) >= least)  # type: ignore[misc]
            over.set()
            await asyncio.gather(*clients)
            assert {one["model_version"] for one in answered} == {
                str(number) for number in range(1, len(kinds) + 2)
            }
            for one in answered:
                (output,) = one["outputs"]
                assert (output["name"], output["datatype"]) == ("y", "FP32")
                found = np.array(output["data"]).reshape(output["shape"])
                np.testing.assert_allclose(found, WANTED[:3], rtol=1e-4, atol=1e-5)

    asyncio.run(story())


@pytest.mark.parametrize("kind", EACH)
def test_the_engine_answers_the_golden_set_of_any_kind(tmp_path: Path, kind: str) -> None:
    async def story() -> None:
        async with an_engine(tmp_path) as bench:
            await bench.serve(forms.save(tmp_path, kind, MODEL), 1)
            found = await bench.engine.golden("default/reader", 1, golden_set(tmp_path))
            assert found == tuple(WANTED.argmax(1))

    asyncio.run(story())


@pytest.mark.parametrize("kind", EACH)
def test_the_metadata_names_the_kind_of_model(tmp_path: Path, kind: str) -> None:
    async def story() -> None:
        async with an_engine(tmp_path) as bench, bench.tcp() as client:
            await bench.serve(forms.save(tmp_path, kind, MODEL), 1)
            found = (await client.get("/v2/models/digits")).json()
            assert found["platform"].endswith(f"_{kind}")

    asyncio.run(story())


def test_files_that_travel_with_a_model_are_handed_out(tmp_path: Path) -> None:
    labels = tmp_path / "blob-of-labels"
    labels.write_bytes("zero\none\u00e4\n".encode())
    gone = tmp_path / "blob-of-another"

    async def story() -> None:
        async with an_engine(tmp_path) as bench, bench.tcp() as client:
            assets = (("labels.txt", labels), ("gone.txt", gone))
            await bench.serve(forms.save(tmp_path, "onnx", MODEL), 1, assets=assets)
            listed = await client.get("/v2/models/digits/assets")
            assert listed.json() == {"assets": ["labels.txt", "gone.txt"]}
            one = await client.get("/v2/models/digits/assets/labels.txt")
            assert (one.status_code, one.content) == (200, labels.read_bytes())
            assert one.headers["content-type"] == "application/octet-stream"
            for name, status in (("other.txt", 404), ("gone.txt", 503), ("../labels.txt", 404)):
                reply = await client.get(f"/v2/models/digits/assets/{name}")
                assert (reply.status_code, "error" in reply.json()) == (status, True)
            refused = await client.post("/v2/models/digits/assets/labels.txt")
            assert refused.status_code == 405

    asyncio.run(story())
