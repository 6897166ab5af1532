"""Labels, windows and golden answers of a running engine."""

from pathlib import Path

import httpx
import numpy as np
import pytest

from shoal.agent.serve.recorder import WARM_UP
from shoal.contract import digest
from tests.e2e.engine_calls import FEEDBACK, INFER, ROW, one, run
from tests.e2e.engines import DEPLOYMENT, Bench, a_request, until
from tests.unit.agent_serve import models


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
        for row in (*[ROW] * WARM_UP, ROW, ROW, [9.0, 0.0, 0.0, 0.0]):
            await client.post(INFER, json=a_request([row]))
        await until(lambda: sum(w.requests for w in bench.windows) == WARM_UP + 3)
        seen = [w for w in bench.windows if w.requests]
        assert sum(w.latency_ms.count for w in seen) == 3
        assert sum(dict(w.classes).get(1, 0) for w in seen) == WARM_UP + 2
        assert sum(dict(w.classes).get(0, 0) for w in seen) == 1
        assert all(w.deployment == DEPLOYMENT and w.generation == 1 for w in seen)
        assert all(w.rss_bytes > 0 and w.duration_ms > 0 for w in seen)

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
