import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from shoal.contract import jsonform
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
        ({"approve": ["auto"]}, "approve", "Invalid"),
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
