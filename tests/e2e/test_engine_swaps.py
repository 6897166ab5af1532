"""Swaps under load: clients in closed loops, without retries, lose nothing."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from onnx import TensorProto, helper

from shoal.contract import digest
from tests.e2e.engines import DEPLOYMENT, MODEL, a_request, a_slot, an_engine, until
from tests.unit.agent_serve import models

INFER = f"/v2/models/{MODEL}/infer"
SWAPS = 24
ROW = [1.0, 5.0, 2.0, 0.0]


@dataclass(kw_only=True)
class Answered:
    """What one closed loop saw: variant and class of every answer, in order."""

    answers: list[tuple[str, int]] = field(default_factory=list)


def all_went_on(loops: Sequence[Answered], counts: Sequence[int]) -> bool:
    return all(len(one.answers) > count for one, count in zip(loops, counts, strict=True))


async def closed_loop(
    client: httpx.AsyncClient, request: dict[str, Any], stop: asyncio.Event, seen: Answered
) -> None:
    """One request after the other; a failure of any kind ends the test."""
    while not stop.is_set():
        reply = await client.post(INFER, json=request)
        assert reply.status_code == 200, reply.text
        answer = reply.json()
        best = int(np.argmax(answer["outputs"][0]["data"]))
        seen.answers.append((answer["parameters"]["variant"], best))


def test_no_request_is_lost_over_many_swaps_on_tcp_and_unix(tmp_path: Path) -> None:
    variants = [models.always(tmp_path / f"{n}", n) for n in range(3)]
    meaning = {str(digest.of_file(path)): n for n, path in enumerate(variants)}

    async def main() -> list[Answered]:
        seen = [Answered() for _ in range(4)]
        stop = asyncio.Event()
        async with an_engine(tmp_path) as bench, bench.tcp(3) as tcp, bench.unix() as unix:
            await bench.serve(variants[0], 1)
            async with asyncio.TaskGroup() as group:
                for n, one in enumerate(seen):
                    client = unix if n == 0 else tcp
                    group.create_task(closed_loop(client, a_request([ROW]), stop, one))
                last = 0.0
                for generation in range(2, SWAPS + 2):
                    before = [len(one.answers) for one in seen]
                    await bench.engine.load(a_slot(variants[generation % 3], generation))
                    switched = await bench.engine.activate(DEPLOYMENT, generation)
                    assert last < switched.monotonic_s <= time.monotonic()
                    last = switched.monotonic_s
                    # Every loop goes on through every swap.
                    await until(partial(all_went_on, seen, before))
                stop.set()
            assert bench.exits == []
            counters = await bench.engine.counters(DEPLOYMENT)
            assert counters.errors == 0
        total = sum(window.requests for window in bench.windows)
        assert total == sum(len(one.answers) for one in seen)
        assert sum(window.errors for window in bench.windows) == 0
        return seen

    for one in asyncio.run(main()):
        # Whatever variant answered, the answer is that variant's own.
        assert all(meaning[variant] == best for variant, best in one.answers)


def slow(path: Path, answer: int) -> Path:
    """A model that takes milliseconds, so that requests are inside the engine at any moment."""
    wide = 600
    weights = np.full((wide, wide), 1 / wide, np.float32)
    nodes = [helper.make_node("MatMul", [f"h{n}", "w"], [f"h{n + 1}"]) for n in range(40)]
    bias = np.zeros(wide, np.float32)
    bias[answer] = 1000
    nodes.append(helper.make_node("Add", ["h40", "b"], ["scores"]))
    graph = helper.make_graph(
        nodes,
        "slow",
        [models.tensor("h0", TensorProto.FLOAT, ["n", wide])],
        [models.tensor("scores", TensorProto.FLOAT, ["n", wide])],
        [models.constant("w", weights), models.constant("b", bias)],
    )
    return models.save(path, graph)


def test_requests_inside_at_the_switch_end_on_the_old_variant(tmp_path: Path) -> None:
    variants = [slow(tmp_path / f"{n}", n) for n in range(2)]
    meaning = {str(digest.of_file(path)): n for n, path in enumerate(variants)}
    request = a_request([[0.0] * 600] * 8, name="h0")

    async def main() -> tuple[list[Answered], list[int]]:
        seen = [Answered() for _ in range(4)]
        in_flight = []
        stop = asyncio.Event()
        async with an_engine(tmp_path) as bench, bench.tcp(4) as tcp:
            await bench.serve(variants[0], 1)
            async with asyncio.TaskGroup() as group:
                for one in seen:
                    group.create_task(closed_loop(tcp, request, stop, one))
                for generation in range(2, 8):
                    await bench.engine.load(a_slot(variants[(generation - 1) % 2], generation))
                    switched = await bench.engine.activate(DEPLOYMENT, generation)
                    in_flight.append(switched.in_flight)
                stop.set()
        return seen, in_flight

    seen, in_flight = asyncio.run(main())
    assert max(in_flight) >= 1
    for one in seen:
        assert all(meaning[variant] == best for variant, best in one.answers)
