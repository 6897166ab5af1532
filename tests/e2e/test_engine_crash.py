"""The engine dies: its sockets do not, and the next engine answers those who wait."""

import asyncio
import contextlib
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from shoal.agent.errors import EngineError
from shoal.agent.runtime.engine_life import Patience
from shoal.contract.reason import Reason
from tests.e2e.engines import DEPLOYMENT, MODEL, a_request, a_slot, an_engine, until
from tests.unit.agent_serve import models

INFER = f"/v2/models/{MODEL}/infer"
REQUEST = a_request([[1.0, 5.0, 2.0, 0.0]])


def test_a_killed_engine_is_replaced_behind_the_same_sockets(tmp_path: Path) -> None:
    async def main() -> None:
        model = models.always(tmp_path / "m", 1)
        async with an_engine(tmp_path) as bench, bench.tcp() as before, bench.tcp() as after:
            await bench.serve(model, 3)
            assert (await before.post(INFER, json=REQUEST)).status_code == 200
            killed = bench.engine.pid
            assert killed is not None
            os.kill(killed, signal.SIGKILL)
            await until(lambda: bench.exits == [-signal.SIGKILL])
            assert bench.engine.pid is None
            # Connects although nobody accepts: the socket is the supervisor's.
            waiting = asyncio.create_task(after.post(INFER, json=REQUEST))
            await bench.engine.start()
            assert bench.engine.pid not in {None, killed}
            await bench.serve(model, 3)
            assert (await waiting).json()["model_version"] == "3"
            assert (await before.post(INFER, json=REQUEST)).status_code == 200

    asyncio.run(main())


def test_after_a_crash_clients_wait_until_every_model_serves_again(tmp_path: Path) -> None:
    async def main() -> None:
        one, two = models.always(tmp_path / "a", 0), models.always(tmp_path / "b", 2)
        async with an_engine(tmp_path) as bench, bench.tcp() as client:
            await bench.serve(one, 1)
            await bench.serve(two, 1, deployment="default/other", model="other")
            assert bench.engine.pid is not None
            os.kill(bench.engine.pid, signal.SIGKILL)
            await until(lambda: len(bench.exits) == 1)
            waiting = asyncio.create_task(client.post("/v2/models/other/infer", json=REQUEST))
            await bench.engine.start()
            await bench.serve(one, 1)
            await bench.serve(two, 1, deployment="default/other", model="other")
            assert (await waiting).status_code == 200

    asyncio.run(main())


def test_a_model_that_cannot_come_back_does_not_keep_the_others_waiting(tmp_path: Path) -> None:
    async def main() -> None:
        one, two = models.always(tmp_path / "a", 0), models.always(tmp_path / "b", 2)
        async with an_engine(tmp_path) as bench, bench.tcp() as client:
            await bench.serve(one, 1)
            await bench.serve(two, 1, deployment="default/other", model="other")
            assert bench.engine.pid is not None
            os.kill(bench.engine.pid, signal.SIGKILL)
            await until(lambda: len(bench.exits) == 1)
            two.write_bytes(b"damaged")
            await bench.engine.start()
            await bench.serve(one, 1)
            with pytest.raises(EngineError):
                await bench.serve(two, 1, deployment="default/other", model="other")
            assert (await client.post(INFER, json=REQUEST)).status_code == 200

    asyncio.run(main())


def test_orders_to_a_dead_engine_fail_at_once(tmp_path: Path) -> None:
    async def main() -> None:
        model = models.endless(tmp_path / "m")
        async with an_engine(tmp_path) as bench:
            # Warming a model that never ends; the kill comes while the order is out.
            loading = asyncio.create_task(bench.engine.load(a_slot(model, 1)))
            await bench.engine.configure(10.0)
            assert bench.engine.pid is not None
            os.kill(bench.engine.pid, signal.SIGKILL)
            with pytest.raises(EngineError) as caught:
                await loading
            assert caught.value.reason is Reason.CRASHED
            with pytest.raises(EngineError) as caught:
                await bench.engine.counters(DEPLOYMENT)
            assert caught.value.reason is Reason.CRASHED

    asyncio.run(main())


def test_a_model_that_hangs_does_not_keep_the_engine_from_stopping(tmp_path: Path) -> None:
    async def main() -> None:
        async with an_engine(tmp_path) as bench:
            await bench.serve(models.pick(tmp_path / "a"), 1)
            hanging = a_slot(
                models.endless(tmp_path / "m"), 1, deployment="default/other", model="other"
            )
            loading = asyncio.create_task(bench.engine.load(hanging))
            # Orders are answered in turn, so this one's answer means that the other has begun.
            await bench.engine.counters(DEPLOYMENT)
            async with bench.tcp() as client:  # serving goes on beside it
                assert (await client.post(INFER, json=REQUEST)).status_code == 200
            await bench.engine.stop()
            with pytest.raises(EngineError) as caught:
                await loading
            assert caught.value.reason is Reason.CRASHED

    asyncio.run(main())


def test_an_engine_that_hangs_is_killed_and_replaced(tmp_path: Path) -> None:
    async def main() -> None:
        model = models.always(tmp_path / "m", 1)
        patience = Patience(every_s=0.1, within_s=0.5)
        async with an_engine(tmp_path, patience) as bench, bench.tcp() as client:
            await bench.serve(model, 3)
            assert bench.engine.pid is not None
            os.kill(bench.engine.pid, signal.SIGSTOP)
            waiting = asyncio.create_task(client.post(INFER, json=REQUEST))
            await until(lambda: bench.exits == [-signal.SIGKILL])
            await bench.engine.start()
            await bench.serve(model, 3)
            with contextlib.suppress(httpx.TransportError):  # if it was inside the one that hung
                assert (await waiting).status_code == 200
            assert (await client.post(INFER, json=REQUEST)).status_code == 200

    asyncio.run(main())


def test_an_engine_that_hangs_on_a_model_is_killed_and_the_others_come_back(tmp_path: Path) -> None:
    async def main() -> None:
        good, endless = models.always(tmp_path / "m", 1), models.endless(tmp_path / "e")
        async with an_engine(tmp_path, Patience(order_s=2.0)) as bench, bench.tcp() as client:
            await bench.serve(good, 3)
            with pytest.raises(EngineError) as caught:
                await bench.engine.load(a_slot(endless, 4))
            assert caught.value.reason is Reason.CRASHED
            assert "within 2 s" in caught.value.message
            assert bench.exits == [-signal.SIGKILL]
            await bench.engine.start()
            await bench.serve(good, 3)
            assert (await client.post(INFER, json=REQUEST)).status_code == 200

    asyncio.run(main())


def test_a_first_engine_answers_once_what_is_expected_serves(tmp_path: Path) -> None:
    async def main() -> None:
        model = models.always(tmp_path / "m", 1)
        async with an_engine(tmp_path, expected={DEPLOYMENT}) as bench, bench.tcp() as client:
            waiting = asyncio.create_task(client.post(INFER, json=REQUEST))
            await bench.engine.configure(10.0)  # so that a port that is open would have answered
            await bench.serve(model, 3)
            assert (await waiting).status_code == 200

    asyncio.run(main())


def test_what_takes_long_to_come_back_is_said_to_be_coming(tmp_path: Path) -> None:
    async def main() -> None:
        model = models.always(tmp_path / "m", 1)
        soon = Patience(open_s=0.01)
        async with an_engine(tmp_path, soon, {DEPLOYMENT}) as bench, bench.tcp() as client:
            assert (await client.post(INFER, json=REQUEST)).status_code == 503
            assert (await client.get("/v2/health/ready")).status_code == 503
            await bench.serve(model, 3)
            assert (await client.post(INFER, json=REQUEST)).status_code == 200
            assert (await client.get("/v2/health/ready")).status_code == 200
            await bench.engine.configure(10.0)  # so that it has heard that nothing more is coming
            assert (await client.get("/v2/models/never-there")).status_code == 404

    asyncio.run(main())


def test_a_stopped_engine_answers_what_is_inside_and_reports_no_exit(tmp_path: Path) -> None:
    async def main() -> None:
        async with an_engine(tmp_path) as bench, bench.tcp() as client:
            await bench.serve(models.always(tmp_path / "m", 1), 1)
            assert (await client.post(INFER, json=REQUEST)).status_code == 200
            await bench.engine.stop()
            assert bench.exits == []
            assert sum(window.requests for window in bench.windows) == 1  # the last one is sent
            await bench.engine.stop()

    asyncio.run(main())


def test_refused_orders_carry_their_reason(tmp_path: Path) -> None:
    async def main() -> None:
        model = models.always(tmp_path / "m", 1)
        async with an_engine(tmp_path) as bench:
            await bench.serve(model, 1)
            not_onnx = tmp_path / "not.onnx"
            not_onnx.write_bytes(b"no model")
            for slot, reason in (
                (a_slot(not_onnx, 2), Reason.LOAD_FAILED),
                (a_slot(models.strings(tmp_path / "s"), 2), Reason.LOAD_FAILED),
                (a_slot(model, 2, output="absent"), Reason.LOAD_FAILED),
                (a_slot(model, 2, providers=("NoSuchProvider",)), Reason.LOAD_FAILED),
                (a_slot(model, 2, deployment="default/younger"), Reason.CONFLICT),
            ):
                with pytest.raises(EngineError) as caught:
                    await bench.engine.load(slot)
                assert caught.value.reason is reason
            with pytest.raises(EngineError) as caught:
                await bench.engine.activate(DEPLOYMENT, 2)
            assert caught.value.reason is Reason.NOT_FOUND
            with pytest.raises(EngineError) as caught:
                await bench.engine.golden(DEPLOYMENT, 2, model)
            assert caught.value.reason is Reason.NOT_FOUND
            with pytest.raises(EngineError) as caught:
                await bench.engine.golden(DEPLOYMENT, 1, model)
            assert caught.value.reason is Reason.BAD_DATA
            assert (await bench.engine.counters(DEPLOYMENT)).errors == 0

    asyncio.run(main())


def test_a_discarded_candidate_is_gone_and_the_active_slot_serves_on(tmp_path: Path) -> None:
    async def main() -> None:
        async with an_engine(tmp_path) as bench, bench.tcp() as client:
            await bench.serve(models.always(tmp_path / "a", 0), 1)
            await bench.engine.load(a_slot(models.always(tmp_path / "b", 1), 2))
            await bench.engine.discard(DEPLOYMENT, 2)
            await bench.engine.discard(DEPLOYMENT, 2)
            with pytest.raises(EngineError):
                await bench.engine.activate(DEPLOYMENT, 2)
            assert (await client.post(INFER, json=REQUEST)).json()["model_version"] == "1"
            await bench.engine.remove("default/never-there")

    asyncio.run(main())


PARENT = """
import asyncio, os, sys
from shoal.agent.runtime.engine_process import EngineChild

async def main():
    engine = EngineChild([], print, print)
    await engine.start()
    print(engine.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def test_the_engine_dies_with_a_killed_supervisor() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        engine = os.pidfd_open(int(parent.stdout.readline()))
        try:
            parent.kill()
            parent.wait()
            assert _ends(engine)
        finally:
            os.close(engine)


def _ends(pidfd: int) -> bool:
    ready, _, _ = select.select([pidfd], [], [], 60)
    return bool(ready)
