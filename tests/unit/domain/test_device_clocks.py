"""Devices whose clocks are anywhere: their windows count where they belong (gates.md 9)."""

import pytest

from shoal.contract import digest
from shoal.contract.histogram import Histogram
from shoal.contract.telemetry import TelemetryBatch, TelemetryWindow
from shoal.controller.domain import tallies

STARTED_MS = 1_800_000_000_000  # the rollout
RECEIVED_MS = STARTED_MS + 600_000
HOUR_MS = 3_600_000
BEFORE_MS, SINCE_MS = STARTED_MS - 300_000, STARTED_MS + 300_000


def a_batch(*starts_ms: int, sent_ms: int) -> TelemetryBatch:
    windows = tuple(
        TelemetryWindow(
            deployment="default/digits",
            variant=digest.of_bytes(b"a"),
            generation=1,
            start_ms=start_ms,
            duration_ms=10_000,
            requests=1,
            errors=0,
            latency_ms=Histogram(),
        )
        for start_ms in starts_ms
    )
    return TelemetryBatch(device="a", boot_id="b", sequence=1, windows=windows, sent_ms=sent_ms)


def counted(batch: TelemetryBatch) -> dict[int, int]:
    """Requests before and since the start of the rollout, by epoch."""
    epochs = {"default/digits": (0, STARTED_MS)}
    ours = tallies.on_our_clock(batch, RECEIVED_MS)
    return {key.epoch_ms: one.requests for key, one in tallies.of_batch(ours, epochs).items()}


@pytest.mark.parametrize("off_ms", [-400 * 24 * HOUR_MS, -HOUR_MS, 0, HOUR_MS, 400 * 24 * HOUR_MS])
def test_windows_count_on_the_right_side_whatever_the_clock_shows(off_ms: int) -> None:
    starts_ms = (BEFORE_MS + off_ms, BEFORE_MS + 10_000 + off_ms, SINCE_MS + off_ms)
    batch = a_batch(*starts_ms, sent_ms=RECEIVED_MS + off_ms)
    assert counted(batch) == {0: 2, STARTED_MS: 1}


def test_the_time_on_the_way_moves_nothing() -> None:
    batch = a_batch(BEFORE_MS, sent_ms=RECEIVED_MS - 30_000)
    assert tallies.on_our_clock(batch, RECEIVED_MS) == batch


def test_no_window_ends_after_it_was_received() -> None:
    set_back_since = a_batch(RECEIVED_MS + 400 * 24 * HOUR_MS, sent_ms=RECEIVED_MS)
    (window,) = tallies.on_our_clock(set_back_since, RECEIVED_MS).windows
    assert window.start_ms + window.duration_ms == RECEIVED_MS


def test_windows_of_before_the_clock_was_set_are_of_no_rollout() -> None:
    batch = a_batch(20_000, SINCE_MS, sent_ms=RECEIVED_MS)
    ours = tallies.on_our_clock(batch, RECEIVED_MS)
    found = tallies.of_batch(ours, {"default/digits": (BEFORE_MS, STARTED_MS)})
    assert [(key.epoch_ms, one.requests) for key, one in found.items()] == [(STARTED_MS, 1)]


@pytest.mark.parametrize("sent_ms", [1, 2**64 - 1])
def test_absurd_clocks_give_times_that_can_be_stored(sent_ms: int) -> None:
    batch = a_batch(0, 2**64 - 1, sent_ms=sent_ms)
    ours = tallies.on_our_clock(batch, RECEIVED_MS)
    assert all(0 <= one.start_ms <= RECEIVED_MS for one in ours.windows)
