"""The `TelemetryStore` port, on every backend."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from shoal.contract import digest
from shoal.contract.histogram import Histogram
from shoal.contract.telemetry import TelemetryBatch, TelemetryWindow
from shoal.controller.store.port import WINDOWS_KEPT_MS, TelemetryStore

Opener = Callable[[], AbstractAsyncContextManager[Any]]
NOW_MS = 1_800_000_000_000  # beyond 32 bits


def on(opened: Opener, story: Callable[[TelemetryStore], Awaitable[None]]) -> None:
    async def run() -> None:
        async with opened() as backend:
            await story(backend.telemetry)

    asyncio.run(run())


def a_window(start_ms: int = NOW_MS, deployment: str = "default/digits") -> TelemetryWindow:
    return TelemetryWindow(
        deployment=deployment,
        variant=digest.of_bytes(b"variant"),
        generation=3,
        start_ms=start_ms,
        duration_ms=1000,
        requests=10,
        errors=1,
        latency_ms=Histogram(buckets=((-3, 4), (7, 5)), zeros=1, total=12.5),
        labelled=6,
        correct=5,
        classes=((0, 4), (9, 6)),
        rss_bytes=1 << 33,
        confidences=((7, 2), (99, 8)),
        shadowed=5,
        shadow_differed=4,
        paired=3,
        paired_worse=2,
        paired_better=1,
        scored=6,
        absolute_error=0.25,
        squared_error=0.5,
    )


def a_batch(*windows: TelemetryWindow, sequence: int = 1, device: str = "cam-1") -> TelemetryBatch:
    return TelemetryBatch(device=device, boot_id="boot", sequence=sequence, windows=windows)


def test_windows_read_back_as_sent(opened: Opener) -> None:
    async def story(telemetry: TelemetryStore) -> None:
        assert await telemetry.ingest(a_batch(a_window()), NOW_MS)
        (stored,) = await telemetry.windows(None, 0)
        assert stored.device == "cam-1"
        assert stored.window == a_window()

    on(opened, story)


def test_a_repeated_batch_counts_once(opened: Opener) -> None:
    async def story(telemetry: TelemetryStore) -> None:
        batch = a_batch(a_window())
        assert [await telemetry.ingest(batch, NOW_MS) for _ in range(3)] == [True, False, False]
        assert await telemetry.ingest(a_batch(a_window(), device="cam-2"), NOW_MS)
        assert await telemetry.ingest(a_batch(sequence=2), NOW_MS)
        assert len(await telemetry.windows(None, 0)) == 2

    on(opened, story)


def test_windows_are_chosen_by_deployment_and_end(opened: Opener) -> None:
    async def story(telemetry: TelemetryStore) -> None:
        await telemetry.ingest(
            a_batch(a_window(NOW_MS + 5000), a_window(NOW_MS), a_window(NOW_MS, "default/other")),
            NOW_MS,
        )
        starts = [w.window.start_ms for w in await telemetry.windows("default/digits", 0)]
        assert starts == [NOW_MS, NOW_MS + 5000]
        assert len(await telemetry.windows("default/digits", NOW_MS + 999)) == 2
        assert len(await telemetry.windows("default/digits", NOW_MS + 1000)) == 1

    on(opened, story)


def test_old_windows_are_forgotten_but_their_batch_is_still_known(opened: Opener) -> None:
    async def story(telemetry: TelemetryStore) -> None:
        batch = a_batch(a_window())
        await telemetry.ingest(batch, NOW_MS)
        await telemetry.ingest(a_batch(sequence=2), NOW_MS + WINDOWS_KEPT_MS)
        assert await telemetry.windows(None, 0) == []
        assert not await telemetry.ingest(batch, NOW_MS + WINDOWS_KEPT_MS)

    on(opened, story)
