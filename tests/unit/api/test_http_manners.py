from collections.abc import Callable
from typing import Any

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


def test_statuses_are_described_field_by_field(on_api: OnApi) -> None:
    async def story(api: Any) -> None:
        schemas = (await api.ask("GET", "/openapi.json")).json()["components"]["schemas"]
        for kind in ("Device", "Model", "Variant", "Deployment"):
            shown = schemas[kind]["properties"]["status"]["anyOf"][0]["$ref"]
            described = schemas[shown.rpartition("/")[2]]
            assert all(one["description"] for one in described["properties"].values())

    on_api(story)


def test_a_wrong_parameter_is_told_in_words(on_api: OnApi) -> None:
    async def story(api: Any) -> None:
        for path, message in (
            (
                "/namespaces/A/models",
                "namespace is a name of lower-case letters, digits and inner hyphens, not 'A'",
            ),
            ("/namespaces/default/models?limit=-1", "limit is at least 0, not '-1'"),
            ("/namespaces/default/models?limit=few", "limit is a whole number, not 'few'"),
            ("/namespaces/default/models?watch=perhaps", "watch is true or false, not 'perhaps'"),
        ):
            answer = await api.ask("GET", path)
            assert answer.status_code == 422
            assert error_of(answer)["message"] == message
        answer = await api.ask("POST", "/apply", headers={"shoal-user": "a b"}, json=DEPLOYMENT)
        assert error_of(answer)["message"] == (
            "Shoal-User is a name of at most 64 letters, digits and the signs . _ @ + -, not 'a b'"
        )

    on_api(story)


def test_health_and_version_answer(on_api: OnApi) -> None:
    async def story(api: Any) -> None:
        assert (await api.http.get("/livez")).status_code == 200
        assert (await api.http.get("/readyz")).status_code == 200
        assert (await api.ask("GET", "/version")).json()["version"]

    on_api(story)
