import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from shoal.contract import digest as digests
from shoal.contract import jsonform
from shoal.contract.histogram import Recorder
from shoal.contract.telemetry import TelemetryBatch, TelemetryWindow
from shoal.controller.domain.tokens import JoinToken
from shoal.controller.store.port import Put

OnApi = Callable[..., None]
NOW_MS = 1_767_323_045_678
DEPLOYMENT = {
    "apiVersion": "shoal/v1",
    "kind": "Deployment",
    "metadata": {"name": "digits"},
    "spec": {"model": "digits", "selector": {}},
}


def error_of(answer: Any) -> dict[str, Any]:
    found: dict[str, Any] = answer.json()["error"]
    assert {"reason", "message"} <= found.keys()
    return found


def test_every_failure_has_the_one_shape(on_api: OnApi) -> None:
    async def story(api: Any) -> None:
        for method, path, more, status in (
            ("GET", "/nowhere", {}, 404),
            ("GET", "/namespaces/default/devices/none", {}, 404),
            ("DELETE", "/version", {}, 405),
            ("POST", "/apply", {"content": b"{"}, 400),
            ("POST", "/apply", {"content": b"[1]"}, 400),
            ("POST", "/apply", {"content": b"[" * 100_000}, 400),
            ("POST", "/apply", {"content": b" " * (1024 * 1024 + 1)}, 413),
            ("POST", "/apply", {"json": {}}, 422),
            ("GET", "/devices", {"params": {"limit": "many"}}, 422),
        ):
            answer = await api.ask(method, path, **more)
            assert answer.status_code == status, (method, path)
            error_of(answer)

    on_api(story)


def test_a_bug_is_answered_in_the_same_shape_and_says_nothing_inside(on_api: OnApi) -> None:
    async def story(api: Any) -> None:
        api.rollouts.history.append({"no": "deployment"})
        await api.apply(DEPLOYMENT)
        answer = await api.ask("GET", "/namespaces/default/deployments/digits/revisions")
        assert answer.status_code == 500
        assert error_of(answer)["reason"] == "Internal"

    on_api(story)


def test_pages_from_elsewhere_are_refused(on_api: OnApi) -> None:
    async def story(api: Any) -> None:
        for headers in (
            {"host": "evil.example"},
            {"host": "[::1"},
            {"origin": "http://evil.example"},
            {"origin": "null"},
            {"origin": "http://127.0.0.1:9999"},
        ):
            answer = await api.ask("GET", "/version", headers=headers)
            assert answer.status_code == 403, headers
            assert error_of(answer)["reason"] == "Forbidden"
        for headers in (
            {"host": "localhost:8470"},
            {"host": "[::1]:8470"},
            {"origin": "http://127.0.0.1:8470"},
        ):
            assert (await api.ask("GET", "/version", headers=headers)).status_code == 200, headers

    on_api(story)


def test_a_controller_of_the_network_takes_any_host_name(on_api: OnApi) -> None:
    async def story(api: Any) -> None:
        answer = await api.ask("GET", "/version", headers={"host": "shoal.example"})
        assert answer.status_code == 200

    on_api(story, loopback_only=False)


def test_no_answer_lets_a_browser_run_anything_foreign(on_api: OnApi) -> None:
    async def story(api: Any) -> None:
        headers = (await api.ask("GET", "/version")).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in headers

    on_api(story)


def test_the_api_describes_itself_in_full(on_api: OnApi) -> None:
    async def story(api: Any) -> None:
        document = (await api.ask("GET", "/openapi.json")).json()
        assert "/api/v1/namespaces/{namespace}/models/{name}" in document["paths"]
        schemas = document["components"]["schemas"]
        assert "maxDrop" in schemas["Quality"]["properties"]

        def references(part: Any) -> list[str]:
            if isinstance(part, dict):
                own = [part["$ref"]] if "$ref" in part else []
                return own + [r for value in part.values() for r in references(value)]
            return (
                [r for value in part for r in references(value)] if isinstance(part, list) else []
            )

        for reference in references(document):
            assert reference.rpartition("/")[2] in schemas, reference
        for path in ("/docs", "/redoc"):
            assert (await api.http.get(path)).status_code == 404

    on_api(story)


def test_health_and_version_answer(on_api: OnApi) -> None:
    async def story(api: Any) -> None:
        assert (await api.http.get("/livez")).status_code == 200
        assert (await api.http.get("/readyz")).status_code == 200
        assert (await api.ask("GET", "/version")).json()["version"]

    on_api(story)


def test_a_token_is_shown_once_and_kept_by_its_hash(on_api: OnApi) -> None:
    async def story(api: Any) -> None:
        body = {"ttl": "90s", "uses": 3, "labels": {"tier": "small"}, "approve": "auto"}
        answer = await api.ask("POST", "/tokens", json=body)
        assert answer.status_code == 201
        token = answer.json()["token"]
        assert answer.json()["expires"] == "2026-01-02T03:05:35.678Z"
        (record,) = (await api.store.list("Token")).records
        assert record.name == hashlib.sha256(token.encode()).hexdigest()
        assert token not in str(record)
        assert jsonform.from_json(JoinToken, record.data) == JoinToken(
            expires_ms=NOW_MS + 90_000, uses=3, labels={"tier": "small"}
        )

    on_api(story)


def test_expired_tokens_are_forgotten(on_api: OnApi) -> None:
    async def story(api: Any) -> None:
        await api.ask("POST", "/tokens", json={"ttl": "1h"})
        (record,) = (await api.store.list("Token")).records

        expired = {**record.data, "expires_ms": NOW_MS}
        await api.store.commit(
            [
                Put(
                    kind="Token",
                    namespace="",
                    name=record.name,
                    data=expired,
                    expected=record.resource_version,
                )
            ]
        )
        await api.ask("POST", "/tokens", json={})
        (left,) = (await api.store.list("Token")).records
        assert left.name != record.name

    on_api(story)


@pytest.mark.parametrize(
    ("body", "field", "reason"),
    [
        ({"ttl": "0s"}, "ttl", "Invalid"),
        ({"ttl": "400d"}, "ttl", "Invalid"),
        ({"ttl": 5}, "ttl", "Invalid"),
        ({"uses": 0}, "uses", "Invalid"),
        ({"uses": True}, "uses", "Invalid"),
        ({"approve": "manual"}, "approve", "NotBuiltYet"),
        ({"approve": "never"}, "approve", "Invalid"),
        ({"labels": {"a b": "c"}}, "labels.a b", "Invalid"),
        ({"labels": 3}, "labels", "Invalid"),
        ({"namespace": "No"}, "namespace", "Invalid"),
        ({"use": 1}, "use", "UnknownField"),
    ],
)
def test_a_wrong_token_request_is_refused(
    on_api: OnApi, body: dict[str, Any], field: str, reason: str
) -> None:
    async def story(api: Any) -> None:
        answer = await api.ask("POST", "/tokens", json=body)
        assert answer.status_code == 422
        assert (error_of(answer)["field"], error_of(answer)["reason"]) == (field, reason)

    on_api(story)


def test_an_upload_is_resumed_where_it_stopped(on_api: OnApi) -> None:
    data = b"0123456789"
    digest = digests.of_bytes(data)

    def headers(offset: int, total: int = 10) -> dict[str, str]:
        return {"Upload-Offset": str(offset), "Upload-Length": str(total)}

    async def story(api: Any) -> None:
        path = f"/blobs/{digest}"
        nothing = await api.ask("HEAD", path)
        assert (nothing.status_code, nothing.headers["upload-offset"]) == (404, "0")
        first = await api.ask("PATCH", path, headers=headers(0), content=data[:4])
        assert (first.status_code, first.headers["upload-offset"]) == (204, "4")
        partial = await api.ask("HEAD", path)
        assert (partial.status_code, partial.headers["upload-offset"]) == (404, "4")
        wrong = await api.ask("PATCH", path, headers=headers(0), content=data)
        assert wrong.status_code == 409
        last = await api.ask("PATCH", path, headers=headers(4), content=data[4:])
        assert (last.status_code, last.headers["upload-offset"]) == (201, "10")
        assert (await api.ask("HEAD", path)).status_code == 200
        assert api.blobs.path(digest).read_bytes() == data

        lying = await api.ask(
            "PATCH", f"/blobs/{digests.of_bytes(b'x')}", headers=headers(0, 1), content=b"y"
        )
        assert (lying.status_code, error_of(lying)["reason"]) == (422, "DigestMismatch")
        assert (await api.ask("HEAD", "/blobs/md5:1")).status_code == 422
        assert (await api.ask("PATCH", path, content=b"")).status_code == 422
        big = await api.ask(
            "PATCH",
            f"/blobs/{digests.of_bytes(b'big')}",
            headers=headers(0, 1 << 30),
            content=bytes(4 * 1024 * 1024 + 1),
        )
        assert big.status_code == 413

    on_api(story)


def test_verbs_reach_the_rollout(on_api: OnApi) -> None:
    async def story(api: Any) -> None:
        path = "/namespaces/default/deployments/digits/rollout"
        assert (await api.ask("POST", path, json={"verb": "pause"})).status_code == 404
        await api.apply(DEPLOYMENT)
        for body in (
            {"verb": "undo", "toRevision": 2, "follow": False},
            {"verb": "resume", "toRevision": None, "follow": True},
        ):
            answer = await api.ask("POST", path, json=body)
            assert (answer.status_code, answer.json()["kind"]) == (200, "Deployment")
        undo, resume = api.rollouts.requests
        assert (undo.deployment, undo.verb, undo.to_revision) == ("default/digits", "undo", 2)
        assert (resume.verb, resume.follow) == ("resume", True)
        api.rollouts.refused.add("abort")
        assert (await api.ask("POST", path, json={"verb": "abort"})).status_code == 409
        refused: list[dict[str, Any]] = [
            {"verb": "undoo"},
            {"verb": []},
            {},
            {"verb": "pause", "toRevision": 1},
            {"verb": "undo", "toRevision": 0},
            {"verb": "undo", "follow": True},
            {"verb": "resume", "follow": 1},
            {"verb": "pause", "force": True},
        ]
        for wrong in refused:
            assert (await api.ask("POST", path, json=wrong)).status_code == 422, wrong

    on_api(story)


def test_revisions_are_those_of_the_deployment(on_api: OnApi) -> None:
    async def story(api: Any) -> None:
        path = "/namespaces/default/deployments/digits/revisions"
        assert (await api.ask("GET", path)).status_code == 404
        await api.apply(DEPLOYMENT)
        api.rollouts.history.append({"deployment": "default/digits", "number": 1})
        assert (await api.ask("GET", path)).json()["items"][0]["number"] == 1

    on_api(story)


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
