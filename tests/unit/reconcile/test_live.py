"""Live evidence between telemetry and passes: epochs, restarts, queries, and when to look."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from typing import Any

from shoal.contract.digest import Digest
from shoal.contract.histogram import Histogram
from shoal.contract.telemetry import TelemetryBatch, TelemetryWindow
from shoal.controller.domain.gating import Bound, GateSpec, Metric
from shoal.controller.domain.live import DeviceEvidence, LiveEvidence
from shoal.controller.domain.rollout import RolloutRecord
from shoal.controller.reconcile.live import ADVISORY_EVERY_S, QUERY_EVERY_S, Live
from shoal.controller.store.memory import MemoryTelemetry
from shoal.controller.store.port import Tallies
from tests.unit.planning.builders import NAME, SMALL, a_strategy, a_wave, devices_of, variant
from tests.unit.planning.worlds import World, a_complete_world

OLD, NEW = variant(1, 100), variant(2, 100)
EVERY_S = 5.0
LATENCY = GateSpec(metric=Metric.LATENCY_P95, limit=1.2)
QUERY = GateSpec(metric=Metric.PROMETHEUS, limit=1, bound=Bound.MAX, query='x{d="$deployment"}')


def a_record(*gates: GateSpec, count: int = 20) -> tuple[RolloutRecord, float]:
    """Revision 2 has just begun; the record, and when it began."""
    strategy = a_strategy(waves=(a_wave("half", 50), a_wave("all", 100)))
    world = a_complete_world(World, strategy=strategy, fleet=devices_of(SMALL, count))
    world.edit(gates=gates or (LATENCY,))
    world.publish()
    world.turn(100.0)
    return world.record, world.now


def a_batch(
    device: str, digest: Digest, start_s: float, sequence: int, **changes: Any
) -> TelemetryBatch:
    window = TelemetryWindow(
        deployment=NAME,
        variant=digest,
        generation=1,
        start_ms=round(start_s * 1000),
        duration_ms=5000,
        requests=100,
        errors=1,
        latency_ms=Histogram(buckets=((10, 100),), total=130.0),
        rss_bytes=1000,
        classes=((0, 100),),
    )
    windows = (replace(window, **changes),)
    return TelemetryBatch(device=device, boot_id="b", sequence=sequence, windows=windows)


async def ingested(telemetry: MemoryTelemetry, batches: Iterable[TelemetryBatch]) -> None:
    for one in batches:
        await telemetry.ingest(one, 0)


def play(story: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        await story()

    asyncio.run(run())


def batches(start: float) -> list[TelemetryBatch]:
    """Two devices: one switches 10 s after the start, the other never."""
    return [
        a_batch("a", OLD, start - 20, 1),
        a_batch("a", OLD, start - 10, 2),
        a_batch("a", OLD, start + 1, 3, errors=50),
        a_batch("a", NEW, start + 10, 4, errors=7),
        a_batch("b", OLD, start - 20, 1),
        a_batch("b", OLD, start + 10, 2, errors=3),
    ]


def test_the_past_ends_where_the_rollout_began() -> None:
    async def story() -> None:
        record, start = a_record()
        telemetry = MemoryTelemetry()
        await telemetry.mark(NAME, 0)
        live = Live(telemetry, None, EVERY_S)
        await live.mark(record, start)
        await ingested(telemetry, batches(start))
        found = await live.look(record, start + 20)
        one, other = found.devices
        assert one.before is not None
        assert (one.device, one.before.variant, one.before.requests) == ("a", OLD, 200)
        assert one.before.errors == 2
        fresh = one.since(NEW)
        assert fresh is not None
        assert (fresh.requests, fresh.errors, fresh.drift) == (100, 7, 0.0)
        assert other.since(NEW) is None
        again = other.since(OLD)
        assert again is not None
        assert (again.requests, again.errors) == (100, 3)

    play(story)


def test_after_a_restart_and_in_any_order_the_evidence_is_the_same() -> None:
    async def story() -> None:
        record, start = a_record()
        seen: list[LiveEvidence] = []
        for number, order in enumerate(itertools.permutations(batches(start))):
            if number % 60:
                continue
            telemetry = MemoryTelemetry()
            await telemetry.mark(NAME, 0)
            await Live(telemetry).mark(record, start)
            await ingested(telemetry, (*order, *order))
            live = Live(telemetry, None, EVERY_S)
            await live.mark(record, start)
            seen.append(await live.look(record, start + 20))
        assert len(seen) == 12
        assert all(one == seen[0] for one in seen)

    play(story)


def test_what_changed_is_read_again_after_a_while_and_not_before() -> None:
    async def story() -> None:
        record, start = a_record()
        telemetry = MemoryTelemetry()
        live = Live(telemetry, None, EVERY_S)
        await live.mark(record, start)
        assert (await live.look(record, start)).devices == ()
        await ingested(telemetry, [a_batch("a", NEW, start + 1, 1)])
        assert (await live.look(record, start + EVERY_S - 1)).devices == ()
        (one,) = (await live.look(record, start + EVERY_S)).devices
        assert isinstance(one, DeviceEvidence)
        await ingested(telemetry, [a_batch("a", NEW, start + 7, 2)])
        (one,) = (await live.look(record, start + 2 * EVERY_S)).devices
        assert [sample.requests for sample in one.after] == [200]

    play(story)


def test_nothing_is_looked_at_where_nothing_is_judged() -> None:
    async def story() -> None:
        record, start = a_record()
        live = Live(MemoryTelemetry(), None, EVERY_S)
        empty = RolloutRecord(deployment=NAME)
        await live.mark(empty, start)
        assert await live.look(empty, start) == LiveEvidence()
        assert live.next_look(empty, start) is None
        done = record.with_current(result=record.revisions[0].result)
        assert await live.look(done, start) == LiveEvidence()
        assert live.next_look(done, start) is None

    play(story)


def test_passes_come_as_often_as_evidence_can_decide() -> None:
    async def story() -> None:
        record, start = a_record()
        telemetry = MemoryTelemetry()
        live = Live(telemetry, None, EVERY_S)
        assert live.next_look(record, start) == start + EVERY_S
        small, _ = a_record(count=6)
        assert live.next_look(small, start) is None
        await live.mark(small, start)
        await ingested(telemetry, [a_batch("a", NEW, start + 1, 1)])
        await live.look(small, start)
        assert live.next_look(small, start) == start + ADVISORY_EVERY_S
        asking, _ = a_record(QUERY, count=6)
        assert live.next_look(asking, start) == start + QUERY_EVERY_S

    play(story)


def test_at_rest_the_past_is_renewed_daily() -> None:
    async def story() -> None:
        record, start = a_record()
        done = record.with_current(result=record.revisions[0].result)
        telemetry = MemoryTelemetry()
        live = Live(telemetry, None, EVERY_S)
        for hours in range(0, 24 * 3, 6):
            await live.mark(done, start + 3600 * hours)
        epochs = (await telemetry.tallies(NAME, 0)).epochs_ms
        assert len(epochs) == 3
        await live.forget(NAME)
        assert (await telemetry.tallies(NAME, 0)).epochs_ms == ()

    play(story)


class ScriptedQueries:
    """Answers with what the test says; an exception is raised."""

    def __init__(self, *answers: float | Exception | None) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def value(self, query: str) -> float | None:
        self.asked.append(query)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_queries_are_asked_beside_the_pass_and_kept() -> None:
    async def story() -> None:
        record, start = a_record(QUERY)
        prometheus = ScriptedQueries(0.5, OSError("away"), None, 2.0)
        live = Live(MemoryTelemetry(), prometheus, EVERY_S)
        for step in range(4):
            await live.look(record, start + QUERY_EVERY_S * step)
            await live.look(record, start + QUERY_EVERY_S * step + 1)
            await asyncio.sleep(0)
        found = await live.look(record, start + QUERY_EVERY_S * 3 + 2)
        assert prometheus.asked == ['x{d="digits"}'] * 4
        answers = found.answers('x{d="digits"}')
        assert [one.value for one in answers] == [0.5, None, None, 2.0]
        assert [one.at for one in answers] == [start + QUERY_EVERY_S * i for i in range(4)]
        assert found.answers("another") == ()

    play(story)


class SlowTelemetry(MemoryTelemetry):
    """Answers after others had their turn, as a database does."""

    async def tallies(self, deployment: str, since: int) -> Tallies:
        await asyncio.sleep(0)
        return await super().tallies(deployment, since)


def test_a_plan_and_a_pass_that_look_at_once_see_the_same() -> None:
    async def story() -> None:
        record, start = a_record()
        telemetry = SlowTelemetry()
        await telemetry.mark(NAME, 0)
        live = Live(telemetry, None, EVERY_S)
        await live.mark(record, start)
        await ingested(telemetry, batches(start))
        one, other = await asyncio.gather(
            live.look(record, start + 20), live.look(record, start + 20)
        )
        assert [each.device for each in one.devices] == ["a", "b"]
        assert other == one

    play(story)
