"""`GET /metrics`, read by the library's own parser."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.samples import Sample

from shoal.contract.problem import ConflictError, FailedError, Problem, ProblemError
from shoal.controller.api.app import create_app
from shoal.controller.domain.outcomes import Outcome
from shoal.controller.metering.catalogue import METRICS
from shoal.controller.metering.exposition import Exposition
from shoal.controller.metering.traffic import Traffic
from shoal.controller.reconcile.loop import Reconciler
from shoal.controller.reconcile.meter import Ending, PassMeter
from shoal.controller.reconcile.queue import Key
from shoal.controller.reconcile.world import Cadence
from shoal.controller.store.blobs import Blobs
from shoal.controller.store.memory import MemoryStore, MemoryTelemetry
from shoal.controller.store.port import Put
from tests.unit.api.conftest import NOW_S, a_world, some_ports
from tests.unit.api.population import populate
from tests.unit.api.scraping import DIGITS, Scraped, a_deployment_record, scrape

OnApi = Callable[..., None]
SERIES_OF_A_DEPLOYMENT = 56
PAGE = Path(__file__).parents[3] / "docs" / "metrics.md"
ROW = re.compile(
    r"^\| `([a-z_]+)` \| (counter|gauge|histogram) \| ([^|]*) \| (.*) \|$", re.MULTILINE
)


def rows_of_the_page() -> dict[str, tuple[str, tuple[str, ...]]]:
    found = ROW.findall(PAGE.read_text())
    return {name: (kind, tuple(re.findall(r"`(\w+)`", labels))) for name, kind, labels, _ in found}


def full_names(families: Iterable[Any]) -> set[str]:
    return {one.name + ("_total" if one.type == "counter" else "") for one in families}


def test_the_page_and_the_answer_name_the_same_metrics(on_api: OnApi) -> None:
    rows = rows_of_the_page()

    async def story(api: Any) -> None:
        assert full_names((await scrape(api)).families) == set(rows)

    on_api(story)
    ours = {name: row for name, row in rows.items() if name.startswith("shoal_")}
    assert ours == {one.name: (one.type.value, one.labels) for one in METRICS}
    words = {name: help_ for name, _, _, help_ in ROW.findall(PAGE.read_text())}
    assert {one.name: one.help for one in METRICS}.items() <= words.items()


def test_no_label_grows_with_the_fleet() -> None:
    known = {"namespace", "deployment", "outcome", "kind", "reach", "result", "metric", "verdict"}
    assert {label for one in METRICS for label in one.labels} == known | {"state", "version"}


def test_a_populated_controller_tells_of_everything(on_api: OnApi, tmp_path: Path) -> None:
    (tmp_path / "job").mkdir()

    async def story(api: Any) -> None:
        await populate(api.world, tmp_path / "job")
        found = await scrape(api)
        assert found.value("shoal_build_info", version="0") == 1
        assert found.value("shoal_resources", kind="Device") == 1
        newest = (await api.store.kept())[-1]
        assert found.value("shoal_store_resource_version") == newest
        reaches = [one for one in found.samples if one.name == "shoal_devices"]
        assert sum(one.value for one in reaches) == 1
        assert found.value("shoal_deployment_revision", **DIGITS) == 1
        outcomes = [one for one in found.samples if one.name == "shoal_deployment_devices"]
        assert len(outcomes) == len(Outcome)
        assert sum(one.value for one in outcomes) == 1
        assert found.hot("shoal_rollout_result") == [{**DIGITS, "result": "active"}]
        assert found.value("shoal_searches", namespace="default", state="Ready") == 1
        assert found.value("shoal_inferences_total", **DIGITS) == 0
        assert found.value("process_resident_memory_bytes") > 0

    on_api(story)


def test_a_gate_shows_its_worst_verdict_that_counts(on_api: OnApi) -> None:
    def gate(metric: str, verdict: str, **more: bool) -> dict[str, Any]:
        return {"metric": metric, "verdict": verdict, **more}

    waves = [
        {"result": "complete", "gates": [gate("accuracy", "pass"), gate("memory", "pass")]},
        {
            "result": "held",
            "gates": [
                gate("accuracy", "inconclusive"),
                gate("memory", "fail", advisory=True),
                gate("memory", "fail", waived=True),
                gate("errorRate", "inconclusive"),
                gate("errorRate", "fail"),
            ],
        },
    ]
    quarantine = [{"liftedAt": None}, {"liftedAt": "2026-01-01T00:00:00Z"}]
    status = {"result": "held", "paused": True, "waves": waves, "quarantine": quarantine}

    async def story(api: Any) -> None:
        api.world.cache.put(a_deployment_record(status))
        found = await scrape(api)
        hot = {one["metric"]: one["verdict"] for one in found.hot("shoal_gate_verdict")}
        assert hot == {"accuracy": "inconclusive", "errorRate": "fail", "memory": "pass"}
        assert found.hot("shoal_rollout_result") == [{**DIGITS, "result": "held"}]
        assert found.value("shoal_rollout_paused", **DIGITS) == 1
        assert found.value("shoal_rollout_waves", **DIGITS, result="held") == 1
        assert found.value("shoal_deployment_quarantined_variants", **DIGITS) == 1

    on_api(story)


def test_devices_are_counted_by_their_silence(on_api: OnApi) -> None:
    cadence = Cadence()
    silences = {"a": 0.0, "b": cadence.late_after_s + 1, "c": cadence.lost_after_s + 1, "d": None}

    def put(kind: str, name: str, data: dict[str, Any]) -> Put:
        return Put(kind=kind, namespace="default", name=name, data=data, expected=None)

    async def story(api: Any) -> None:
        for name, silence in silences.items():
            await api.world.commit([put("Device", name, {"metadata": {"name": name}})])
            if silence is not None:
                seen = {"last_seen_ms": round((NOW_S - silence) * 1000)}
                await api.world.commit([put("Observation", name, seen)])
        found = await scrape(api)
        counts = {"reachable": 1, "late": 1, "lost": 2}
        for reach, count in counts.items():
            assert found.value("shoal_devices", namespace="default", reach=reach) == count

    on_api(story)


def test_passes_are_counted_and_timed(tmp_path: Path) -> None:
    world = a_world(MemoryStore(), Blobs(tmp_path))
    reconciler = Reconciler(world)
    ticks = iter((1.0, 3.5))
    reconciler.meter = PassMeter(clock=lambda: next(ticks))
    with reconciler.meter.timed("Model"):
        reconciler.meter.ended("Model", Ending.REFUSED)
    text = Exposition("0", world, reconciler, Traffic(MemoryTelemetry(), world.cache)).text()
    found = Scraped(asyncio.run(text).decode())
    assert found.value("shoal_reconcile_seconds_total", kind="Model") == 2.5
    assert found.value("shoal_reconcile_passes_total", kind="Model", outcome="refused") == 1
    assert found.value("shoal_reconcile_passes_total", kind="Device", outcome="done") == 0
    assert found.value("shoal_reconcile_queue_length") == 0


def test_metrics_are_served_below_a_path_and_described(tmp_path: Path) -> None:
    ports = replace(some_ports(tmp_path)[0], root_path="/shoal")

    async def story() -> None:
        transport = httpx.ASGITransport(create_app(ports))
        base = "http://127.0.0.1:8470"
        async with httpx.AsyncClient(transport=transport, base_url=base) as http:
            for path in ("/metrics", "/shoal/metrics"):
                assert (await http.get(path)).status_code == 200, path
            described = (await http.get("/shoal/api/v1/openapi.json")).json()
            responses = described["paths"]["/metrics"]["get"]["responses"]
            assert set(responses["200"]["content"]) == {"text/plain"}

    asyncio.run(story())


def test_samples_are_of_labels_that_the_catalogue_names(on_api: OnApi) -> None:
    named = {one.name: set(one.labels) for one in METRICS}

    def expected(sample: Sample) -> set[str]:
        base = re.sub(r"_(bucket|count|sum)$", "", sample.name)
        more = {"le"} if sample.name.endswith("_bucket") else set()
        return named.get(sample.name, named.get(base, set())) | more

    async def story(api: Any) -> None:
        api.world.cache.put(a_deployment_record())
        samples = (await scrape(api)).samples
        for sample in samples:
            assert set(sample.labels) == expected(sample), sample.name
        assert sum("deployment" in one.labels for one in samples) == SERIES_OF_A_DEPLOYMENT
        assert f" {SERIES_OF_A_DEPLOYMENT} for each deployment" in PAGE.read_text()

    on_api(story)


def test_every_end_of_a_pass_is_counted(tmp_path: Path) -> None:
    world = a_world(MemoryStore(), Blobs(tmp_path))
    reconciler = Reconciler(world)
    endings = {"Model": FailedError, "Device": ConflictError, "Deployment": None}

    def ends(error: type[ProblemError] | None) -> Callable[[Key], Awaitable[float | None]]:
        async def one_pass(_key: Key) -> float | None:
            if error is not None:
                raise error(Problem(reason="Internal", message="as scripted"))
            return None

        return one_pass

    reconciler._passes = {kind: ends(error) for kind, error in endings.items()}

    async def story() -> None:
        for kind in endings:
            await reconciler._run(Key(kind, "default", "one"))

    asyncio.run(story())
    assert reconciler.meter.passes == {
        ("Model", Ending.FAILED): 1,
        ("Device", Ending.REFUSED): 1,
        ("Deployment", Ending.DONE): 1,
    }
    assert set(reconciler.meter.seconds) == set(endings)
