from collections.abc import Callable
from typing import Any

import pytest

from shoal.contract import digest as digests
from shoal.contract.histogram import Recorder
from shoal.contract.telemetry import TelemetryBatch, TelemetryWindow

OnApi = Callable[..., None]
NOW_MS = 1_767_323_045_678
DEPLOYMENT = {
    "apiVersion": "shoal/v1",
    "kind": "Deployment",
    "metadata": {"name": "digits"},
    "spec": {"model": "digits", "selector": {}},
}


def a_window(variant: str, latencies: list[float], start_ms: int) -> TelemetryWindow:
    recorder = Recorder()
    for value in latencies:
        recorder.record(value)
    return TelemetryWindow(
        deployment="default/digits",
        variant=digests.of_bytes(variant.encode()),
        generation=1,
        start_ms=start_ms,
        duration_ms=1000,
        requests=len(latencies),
        errors=1,
        latency_ms=recorder.freeze(),
        labelled=4,
        correct=3,
    )


def test_telemetry_is_merged_by_deployment_variant_and_device(on_api: OnApi) -> None:
    async def story(api: Any) -> None:
        for device, variant, latencies, start in (
            ("a", "one", [1.0] * 90, NOW_MS - 2000),
            ("b", "two", [100.0] * 10, NOW_MS - 2000),
            ("b", "two", [5.0], NOW_MS - 120_000),
        ):
            window = a_window(variant, latencies, start)
            batch = TelemetryBatch(device=device, boot_id="b", sequence=start, windows=(window,))
            await api.telemetry.ingest(batch, NOW_MS)
        body = (await api.ask("GET", "/telemetry", params={"sinceSeconds": "60"})).json()
        digits = body["deployments"]["default/digits"]
        assert (digits["requests"], digits["errors"], digits["accuracy"]) == (100, 2, 0.75)
        assert digits["latency_ms"]["p50"] == pytest.approx(1.0, rel=0.03)
        assert digits["latency_ms"]["p95"] == pytest.approx(100.0, rel=0.03)
        assert set(digits["devices"]) == {"a", "b"}
        assert digits["devices"]["b"]["requests"] == 10
        assert set(digits["variants"]) == {digests.of_bytes(v.encode()) for v in ("one", "two")}
        other = await api.ask("GET", "/telemetry", params={"deployment": "default/other"})
        assert other.json() == {"deployments": {}}
        assert (await api.ask("GET", "/telemetry", params={"sinceSeconds": 0})).status_code == 422

    on_api(story)
