"""Tallies of live evidence, on every backend: each batch once, in any order, bounded."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any

from shoal.contract import digest
from shoal.contract.histogram import Histogram
from shoal.contract.telemetry import TelemetryBatch, TelemetryWindow
from shoal.controller.domain.tallies import Tally, TallyKey
from shoal.controller.store.port import EPOCHS_KEPT, VARIANTS_TALLIED, TelemetryStore

Opener = Callable[[], AbstractAsyncContextManager[Any]]
NAME = "default/digits"
NOW_MS = 1_800_000_000_000
OLD, NEW = digest.of_bytes(b"old"), digest.of_bytes(b"new")


def on(opened: Opener, story: Callable[[TelemetryStore], Awaitable[None]]) -> None:
    async def run() -> None:
        async with opened() as backend:
            await story(backend.telemetry)

    asyncio.run(run())


def a_window(start_ms: int = NOW_MS, **changes: Any) -> TelemetryWindow:
    window = TelemetryWindow(
        deployment=NAME,
        variant=NEW,
        generation=3,
        start_ms=start_ms,
        duration_ms=1000,
        requests=10,
        errors=1,
        latency_ms=Histogram(buckets=((-3, 4), (7, 5)), zeros=1, total=12.3),
        labelled=6,
        correct=5,
        classes=((0, 4), (9, 6)),
        rss_bytes=1 << 33,
        confidences=((50, 4), (99, 6)),
        scored=2,
        absolute_error=0.1,
    )
    return replace(window, **changes)


def a_batch(*windows: TelemetryWindow, sequence: int = 1, device: str = "cam-1") -> TelemetryBatch:
    return TelemetryBatch(device=device, boot_id="boot", sequence=sequence, windows=windows)


def a_key(epoch_ms: int = NOW_MS, device: str = "cam-1") -> TallyKey:
    return TallyKey(deployment=NAME, epoch_ms=epoch_ms, device=device, variant=NEW)


async def tallied(telemetry: TelemetryStore) -> dict[TallyKey, Tally]:
    return dict((await telemetry.tallies(NAME, 0)).changed)


def test_a_repeated_batch_is_counted_once(opened: Opener) -> None:
    async def story(telemetry: TelemetryStore) -> None:
        await telemetry.mark(NAME, NOW_MS)
        for _ in range(3):
            await telemetry.ingest(a_batch(a_window(), a_window()), NOW_MS)
        tally = (await tallied(telemetry))[a_key()]
        assert (tally.requests, tally.errors, tally.correct) == (20, 2, 10)
        assert (tally.latency_ms.count, tally.latency_ms.total) == (20, 0.0)
        assert (tally.windows, tally.memory_bytes, tally.memory_peak_bytes) == (2, 1 << 34, 1 << 33)
        assert tally.confidences == ((50, 8), (99, 12))
        assert (tally.scored, tally.absolute_error) == (4, 200_000)

    on(opened, story)


def test_the_order_of_batches_makes_no_difference(opened: Opener) -> None:
    batches = [
        a_batch(a_window(NOW_MS + 1000 * i, absolute_error=0.1 * i), sequence=i)
        for i in range(1, 4)
    ]

    async def told(order: Sequence[TelemetryBatch], found: list[dict[TallyKey, Tally]]) -> None:
        async with opened() as backend:
            telemetry: TelemetryStore = backend.telemetry
            await telemetry.forget(NAME)
            await telemetry.mark(NAME, NOW_MS)
            for one in order:
                # SQLite's file is the same in every round: only new keys are counted.
                again = replace(one, boot_id=str(len(found)))
                await telemetry.ingest(again, NOW_MS)
            found.append(await tallied(telemetry))

    async def run() -> None:
        found: list[dict[TallyKey, Tally]] = []
        for order in itertools.permutations(batches):
            await told(order, found)
        assert all(one == found[0] for one in found)

    asyncio.run(run())


def test_windows_are_counted_in_the_epoch_that_they_began_in(opened: Opener) -> None:
    async def story(telemetry: TelemetryStore) -> None:
        await telemetry.ingest(a_batch(a_window(), sequence=1), NOW_MS)  # no epoch yet
        await telemetry.mark(NAME, NOW_MS)
        await telemetry.mark(NAME, NOW_MS + 500)
        early, late = a_window(NOW_MS + 499), a_window(NOW_MS + 500)
        await telemetry.ingest(a_batch(late, early, a_window(NOW_MS - 1), sequence=2), NOW_MS)
        found = await tallied(telemetry)
        assert {key.epoch_ms: one.requests for key, one in found.items()} == {
            NOW_MS: 10,
            NOW_MS + 500: 10,
        }

    on(opened, story)


def test_old_epochs_go_and_so_do_those_of_a_deployment_that_is_gone(opened: Opener) -> None:
    async def story(telemetry: TelemetryStore) -> None:
        for i in range(EPOCHS_KEPT + 1):
            await telemetry.mark(NAME, NOW_MS + i)
            await telemetry.mark(NAME, NOW_MS + i)
            await telemetry.ingest(a_batch(a_window(NOW_MS + i), sequence=i), NOW_MS)
        answer = await telemetry.tallies(NAME, 0)
        kept = tuple(NOW_MS + 1 + i for i in range(EPOCHS_KEPT))
        assert answer.epochs_ms == kept
        assert {key.epoch_ms for key, _ in answer.changed} == set(kept)
        await telemetry.forget(NAME)
        answer = await telemetry.tallies(NAME, 0)
        assert (answer.epochs_ms, answer.changed) == ((), ())

    on(opened, story)


def test_only_what_changed_is_read_again(opened: Opener) -> None:
    async def story(telemetry: TelemetryStore) -> None:
        await telemetry.mark(NAME, NOW_MS)
        await telemetry.ingest(a_batch(a_window(), device="cam-1"), NOW_MS)
        await telemetry.ingest(a_batch(a_window(), device="cam-2"), NOW_MS)
        first = await telemetry.tallies(NAME, 0)
        assert {key.device for key, _ in first.changed} == {"cam-1", "cam-2"}
        await telemetry.ingest(a_batch(a_window(), sequence=2, device="cam-1"), NOW_MS)
        second = await telemetry.tallies(NAME, first.version)
        assert [(key.device, one.requests) for key, one in second.changed] == [("cam-1", 20)]
        assert (await telemetry.tallies(NAME, second.version)).changed == ()

    on(opened, story)


def test_nothing_is_missed_after_the_newest_tallies_went(opened: Opener) -> None:
    async def story(telemetry: TelemetryStore) -> None:
        for i in range(EPOCHS_KEPT):
            await telemetry.mark(NAME, NOW_MS + i)
        await telemetry.ingest(a_batch(a_window(NOW_MS)), NOW_MS)  # late: of the oldest epoch
        read = (await telemetry.tallies(NAME, 0)).version
        newest = NOW_MS + EPOCHS_KEPT
        await telemetry.mark(NAME, newest)
        assert (await telemetry.tallies(NAME, 0)).changed == ()
        await telemetry.ingest(a_batch(a_window(newest), sequence=2), NOW_MS)
        after = await telemetry.tallies(NAME, read)
        assert [key for key, _ in after.changed] == [a_key(newest)]
        await telemetry.forget(NAME)
        await telemetry.mark(NAME, newest)
        await telemetry.ingest(a_batch(a_window(newest), sequence=3), NOW_MS)
        assert len((await telemetry.tallies(NAME, after.version)).changed) == 1

    on(opened, story)


def test_what_a_device_makes_up_is_bounded(opened: Opener) -> None:
    async def story(telemetry: TelemetryStore) -> None:
        await telemetry.mark(NAME, NOW_MS)
        windows = [
            a_window(variant=digest.of_bytes(str(i).encode())) for i in range(VARIANTS_TALLIED + 5)
        ]
        await telemetry.ingest(a_batch(*windows), NOW_MS)
        lies: list[dict[str, Any]] = [
            {"errors": 11},
            {"absolute_error": 1e308},
            {"squared_error": -1.0},
        ]
        unsound = [a_window(**one) for one in lies]
        await telemetry.ingest(
            a_batch(a_window(deployment="default/none"), *unsound, sequence=2), NOW_MS
        )
        found = await tallied(telemetry)
        assert len(found) == VARIANTS_TALLIED
        assert all(one.requests == 10 for one in found.values())
        assert all(one.absolute_error == 100_000 for one in found.values())
        assert (await telemetry.tallies("default/none", 0)).changed == ()

    on(opened, story)


def test_tallies_survive_a_restart(reopened: Opener) -> None:
    async def first(telemetry: TelemetryStore) -> None:
        await telemetry.mark(NAME, NOW_MS)
        await telemetry.ingest(a_batch(a_window()), NOW_MS)

    async def second(telemetry: TelemetryStore) -> None:
        await telemetry.ingest(a_batch(a_window()), NOW_MS)
        await telemetry.ingest(a_batch(a_window(), sequence=2), NOW_MS)
        assert (await tallied(telemetry))[a_key()].requests == 20

    on(reopened, first)
    on(reopened, second)
