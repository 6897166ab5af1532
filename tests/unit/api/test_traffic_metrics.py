"""What devices served, as Prometheus sees it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from shoal.contract import digest as digests
from shoal.contract.digest import Digest
from shoal.contract.histogram import Histogram, Recorder
from shoal.contract.telemetry import TelemetryBatch, TelemetryWindow
from shoal.controller.metering.traffic import BOUNDS_S, Served
from tests.unit.api.conftest import NOW_S
from tests.unit.api.scraping import DIGITS, a_deployment_record, scrape

OnApi = Callable[..., None]


def a_window(
    requests: int = 10, deployment: str = "default/digits", **more: Any
) -> TelemetryWindow:
    recorder = Recorder()
    for number in range(requests):
        recorder.record(0.5 + number)
    window = TelemetryWindow(
        deployment=deployment,
        variant=Digest(digests.of_bytes(b"one")),
        generation=1,
        start_ms=round(NOW_S * 1000),
        duration_ms=1000,
        requests=requests,
        errors=1,
        latency_ms=recorder.freeze(),
        labelled=4,
        correct=3,
    )
    return replace(window, **more)


def a_batch(sequence: int, *windows: TelemetryWindow) -> TelemetryBatch:
    return TelemetryBatch(device="a", boot_id="b", sequence=sequence, windows=windows)


def test_traffic_is_counted_once_and_only_grows(on_api: OnApi) -> None:
    async def story(api: Any) -> None:
        api.world.cache.put(a_deployment_record())
        for sequence in (1, 2, 2):
            await api.telemetry.ingest(a_batch(sequence, a_window()), 0)
        found = await scrape(api)
        assert found.value("shoal_inferences_total", **DIGITS) == 20
        assert found.value("shoal_inference_errors_total", **DIGITS) == 2
        assert found.value("shoal_inference_labelled_total", **DIGITS) == 8
        assert found.value("shoal_inference_correct_total", **DIGITS) == 6
        assert found.value("shoal_telemetry_batches_total", outcome="kept") == 2
        assert found.value("shoal_telemetry_batches_total", outcome="repeated") == 1
        # 0.5, 1.5, 2.5 … 9.5 ms, twice
        buckets = {"0.0005": 2, "0.001": 2, "0.002": 4, "0.004": 8, "0.016": 20, "+Inf": 20}
        for bound, count in buckets.items():
            name = "shoal_inference_latency_seconds_bucket"
            assert found.value(name, **DIGITS, le=bound) == count, bound
        assert found.value("shoal_inference_latency_seconds_count", **DIGITS) == 20
        assert round(found.value("shoal_inference_latency_seconds_sum", **DIGITS), 6) == 0.1

    on_api(story)


def test_what_a_device_makes_up_is_not_counted(on_api: OnApi) -> None:
    nonsense = [
        a_window(deployment="default/other"),
        a_window(errors=99),
        a_window(latency_ms=Histogram(total=float("nan"), buckets=((1, 5),))),
        a_window(latency_ms=Histogram(total=-1.0, buckets=((1, 5),))),
        a_window(latency_ms=Histogram(scale=-(2**31), buckets=((1, 5),))),
    ]

    async def story(api: Any) -> None:
        api.world.cache.put(a_deployment_record())
        await api.telemetry.ingest(a_batch(1, *nonsense), 0)
        found = await scrape(api)
        assert found.value("shoal_inference_latency_seconds_count", **DIGITS) == 0
        assert found.value("shoal_inferences_total", **DIGITS) == 30
        assert {one.labels.get("deployment", "digits") for one in found.samples} == {"digits"}

    on_api(story)


def test_a_deployment_that_is_gone_is_forgotten(on_api: OnApi) -> None:
    async def story(api: Any) -> None:
        api.world.cache.put(a_deployment_record())
        await api.telemetry.ingest(a_batch(1, a_window()), 0)
        await api.telemetry.forget("default/digits")
        assert (await scrape(api)).value("shoal_inferences_total", **DIGITS) == 0

    on_api(story)


def test_values_beyond_all_bounds_are_in_the_last_bucket(on_api: OnApi) -> None:
    async def story(api: Any) -> None:
        api.world.cache.put(a_deployment_record())
        recorder = Recorder()
        for value in (0.0, 1e-6, 1e6):
            recorder.record(value)
        window = a_window(latency_ms=recorder.freeze())
        await api.telemetry.ingest(a_batch(1, window), 0)
        counts = api.telemetry.served("default/digits").latencies
        assert (counts[0], counts[-1], len(counts)) == (2, 1, len(BOUNDS_S) + 1)

    on_api(story)


@pytest.mark.parametrize(
    ("scale", "index", "upper_ms"),
    [
        (5, 0, 2),
        (5, 31, 2),
        (5, 32, 4),
        (5, -1, 1),
        (5, -32, 1),
        (0, 0, 2),
        (-1, 0, 4),
        (-2, 0, 16),
    ],
)
def test_a_bucket_of_any_width_is_below_its_own_upper_bound(
    scale: int, index: int, upper_ms: int
) -> None:
    served = Served()
    served.add(a_window(latency_ms=Histogram(scale=scale, buckets=((index, 3),))))
    assert served.latencies[BOUNDS_S.index(upper_ms / 1000)] == 3
    assert sum(served.latencies) == 3
