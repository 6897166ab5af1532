import asyncio
import json
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from shoal.contract import digest as digests
from shoal.contract.histogram import Recorder
from shoal.contract.telemetry import TelemetryBatch, TelemetryWindow
from shoal.controller.store.memory import MemoryStore, MemoryTelemetry
from shoal.controller.store.port import Put
from shoal.controller.web import pages, series
from shoal.controller.web.panel import Panel, Sources

NOW_S = 1_767_323_045.0
VARIANT = digests.of_bytes(b"variant")


def a_put(kind: str, name: str, **data: Any) -> Put:
    return Put(kind=kind, namespace="default", name=name, data=data, expected=None)


def a_window(
    start_s: float, duration_s: float = 1.0, latency_ms: float = 5.0, requests: int = 20
) -> TelemetryWindow:
    recorder = Recorder()
    for _ in range(requests):
        recorder.record(latency_ms)
    return TelemetryWindow(
        deployment="default/digits",
        variant=VARIANT,
        generation=1,
        start_ms=round(start_s * 1000),
        duration_ms=round(duration_s * 1000),
        requests=requests,
        errors=0,
        latency_ms=recorder.freeze(),
        labelled=10,
        correct=9,
    )


def a_quarantine(reason: str, **more: Any) -> dict[str, Any]:
    found = {"cohort": "tiny", "digest": VARIANT, "revision": 2, "reason": reason}
    return {**found, "liftedBy": None, **more}


def a_rollout() -> Put:
    gate = {
        "metric": "accuracy",
        "cohort": "tiny",
        "verdict": "fail",
        "value": 0.91,
        "baseline": 0.02,
        "limit": 0.05,
        "samples": 212,
        "message": "the loss is beyond the limit",
    }
    return a_put(
        "Deployment",
        "digits",
        spec={"model": "digits"},
        status={
            "revision": 3,
            "modelRevision": 2,
            "result": "rolled-back",
            "message": "<script>alert(1)</script>",
            "waves": [
                {
                    "name": "canary",
                    "result": "failed",
                    "promotedBy": "ann",
                    "devices": 3,
                    "counts": {"Soaking": 3},
                    "gates": [gate],
                }
            ],
            "cohorts": [{"name": "tiny", "devices": 3, "variant": VARIANT}],
            "quarantine": [
                a_quarantine("GateFailed"),
                a_quarantine("TooManyFailures", liftedBy="bob"),
            ],
        },
    )


def a_fleet() -> list[Put]:
    return [
        a_put(
            "Device",
            "cam-1",
            status={
                "conditions": [{"type": "Ready", "status": "True"}],
                "profile": "tiny",
                "link": "mqtt",
                "running": [{"deployment": "default/digits", "digest": VARIANT, "revision": 2}],
                "outcomes": [{"deployment": "default/digits", "phase": "Confirmed"}],
            },
        ),
        a_put("Device", "cam-2", metadata={"labels": {}}),
        a_rollout(),
        a_put(
            "Variant",
            "v",
            status={
                "digest": VARIANT,
                "bytes": 24_000,
                "score": 0.9812,
                "latency_ms": {"p95": 1.25},
            },
        ),
        a_put(
            "Event",
            "e",
            spec={
                "regarding": "Deployment/default/digits",
                "type": "Warning",
                "reason": "GateFailed",
                "message": "accuracy failed",
                "count": 3,
                "lastTime": "2026-01-02T03:04:05.678Z",
            },
        ),
    ]


async def shown(path: str, writes: list[Put], windows: tuple[TelemetryWindow, ...] = ()) -> str:
    store, telemetry = MemoryStore(), MemoryTelemetry()
    await store.commit(writes)
    batch = TelemetryBatch(device="cam-1", boot_id="b", sequence=1, windows=windows)
    await telemetry.ingest(batch, round(NOW_S * 1000))
    panel = Panel(Sources(store=store, telemetry=telemetry, now=lambda: NOW_S))
    app = FastAPI()
    app.include_router(pages.router(panel, "1.2.3", asyncio.Event()))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        answer = await http.get(path)
        assert answer.status_code == 200
        return answer.text


def test_an_empty_fleet_says_what_to_do_next() -> None:
    text = asyncio.run(shown("/", []))
    assert "shoal token create" in text
    assert "shoal apply" in text
    assert "1.2.3" in text


def test_the_page_shows_devices_rollouts_gates_telemetry_and_events() -> None:
    text = asyncio.run(shown("/", a_fleet(), (a_window(NOW_S - 1),)))
    for expected in (
        "1 / 2",
        "cam-2",
        digests.short(VARIANT),
        "Confirmed",
        "rolled-back",
        "digits@2",
        "23.4 KiB",
        "0.9812",
        "1.25 ms",
        "canary",
        "promoted by ann",
        "since revision 2: GateFailed",
        "0.91",
        "212",
        "90.0 %",
        "GateFailed",
        "03:04:05",
        "&times; 3",
    ):
        assert expected in text, expected
    assert "TooManyFailures" not in text  # lifted


def test_what_others_wrote_is_text_and_never_markup() -> None:
    text = asyncio.run(shown("/", a_fleet()))
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)" in text


def test_the_page_needs_nothing_inline_and_nothing_from_elsewhere() -> None:
    text = asyncio.run(shown("/", a_fleet(), (a_window(NOW_S - 1),)))
    for forbidden in (" style=", "<style", " onclick=", "http://", "https://"):
        assert forbidden not in text, forbidden
    assert text.count("<script") == 1
    assert '<script src="assets/shoal.js" defer></script>' in text


@pytest.mark.parametrize("name", ["shoal.css", "shoal.js", "shoal.svg"])
def test_the_pages_own_files_are_packaged(name: str) -> None:
    assert asyncio.run(shown(f"/assets/{name}", []))


def test_the_live_part_is_sent_when_it_changes_and_a_sign_of_life_otherwise() -> None:
    async def story() -> None:
        store, telemetry, stopping = MemoryStore(), MemoryTelemetry(), asyncio.Event()
        panel = Panel(Sources(store=store, telemetry=telemetry, now=lambda: NOW_S), fresh_s=0)
        events = pages.live_events(panel, stopping, every_s=0.0)
        first = await anext(events)
        assert "No device" in json.loads(first.removeprefix("data: "))
        assert (await anext(events)).startswith("event: same")
        await store.commit(a_fleet())
        async for event in events:
            if event.startswith("data: "):
                assert "cam-1" in json.loads(event.removeprefix("data: "))
                stopping.set()

    asyncio.run(asyncio.wait_for(story(), 20))


def test_a_rate_spreads_the_requests_of_a_window_over_its_time() -> None:
    # 200 requests over 10 s and, beside them, 20 a second for the same 10 s: 40 a second.
    long = a_window(NOW_S - 10, duration_s=10, requests=200)
    short = [a_window(NOW_S - 10 + i) for i in range(10)]
    found = series.series("default/digits", [long, *short])
    # The shown rate is of the last 15 s, of which 10 s have requests.
    assert found.rate_s == pytest.approx(40 * 10 / 15)
    assert (found.requests, found.accuracy) == (400, 0.9)
    assert found.p95_ms == pytest.approx(5.0, rel=0.03)


def test_a_line_runs_from_zero_to_its_largest_value_and_skips_what_is_unknown() -> None:
    assert series.line([0.0, None, 10.0]) == "0.0,34.0 160.0,2.0"
    assert series.line([0.0]) == "0.0,34.0"
    assert series.line([]) == ""
