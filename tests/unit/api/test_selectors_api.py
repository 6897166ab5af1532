"""Lists are narrowed by fields, cut into pages of what fits, and kept apart by namespace."""

from collections.abc import Callable
from typing import Any

import pytest

from shoal.controller.store.port import Put
from tests.unit.api.documents import a_deployment, a_device, a_profile

OnApi = Callable[..., None]


def a_reporting_device(name: str, *, ready: str, model: str) -> Put:
    data = {
        **a_device(name, app="reader").data,
        "status": {
            "conditions": [
                {"type": "Ready", "status": ready},
                {"type": "Reachable", "status": "True"},
            ],
            "running": [{"deployment": "default/d", "model": model, "revision": 3}],
            "spool": 0,
        },
    }
    return Put(kind="Device", namespace="default", name=name, data=data, expected=None)


async def names(api: Any, path: str, **query: Any) -> str:
    answer = await api.ask("GET", path, params=query)
    assert answer.status_code == 200, answer.text
    return "".join(one["metadata"]["name"] for one in answer.json()["items"])


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("metadata.name=a", "a"),
        ("metadata.name!=a", "bc"),
        ("metadata.name in (a, c)", "ac"),
        ("metadata.name notin (a,c)", "b"),
        ("status.conditions[Ready].status=True", "a"),
        ("status.conditions[Ready].status!=True", "bc"),
        ("status.conditions[Ready]", "ab"),
        ("!status.conditions[Ready]", "c"),
        ("status.conditions.status=False", "b"),
        ("status.running.model=digits", "a"),
        ("status.running[default/d].revision=3,status.spool=0", "ab"),
        ("metadata.labels[app]=reader", "ab"),
        ("spec.suspended=true", ""),
        ("kind=Device", "abc"),
        ("", "abc"),
    ],
)
def test_devices_are_chosen_by_their_fields(on_api: OnApi, selector: str, expected: str) -> None:
    async def story(api: Any) -> None:
        await api.store.commit(
            [
                a_reporting_device("a", ready="True", model="digits"),
                a_reporting_device("b", ready="False", model="other"),
                a_device("c"),
            ]
        )
        assert await names(api, "/devices", fieldSelector=selector) == expected

    on_api(story)


@pytest.mark.parametrize(
    ("selector", "told"),
    [
        ("spec.modell=digits", "model"),
        ("spec.strategy.wave=1", "waves"),
        ("metadata.nam=x", "name"),
        ("sttaus.x=1", "status"),
        ("status.wave.x=1", ""),
        ("status.wavs[canary].result=active", "did you mean waves?"),
        ("status.waves[canary].resutl=active", "did you mean result?"),
        ("spec.model=", ""),
        ("=x", "is not a selector"),
        ("spec.model=a=b", "is not a selector"),
        ("spec.model in (", "is not a selector"),
        ("spec.model in ()", "is not a selector"),
        ("spec.model notin (a,)", "is not a selector"),
        ("spec..model=a", "is not a selector"),
    ],
)
def test_a_misspelt_field_is_told_not_taken_for_no_match(
    on_api: OnApi, selector: str, told: str
) -> None:
    async def story(api: Any) -> None:
        await api.apply(a_deployment())
        answer = await api.ask("GET", "/deployments", params={"fieldSelector": selector})
        if not told:
            assert answer.json()["items"] == []
            return
        assert answer.status_code == 422
        assert told in answer.json()["error"]["message"]

    on_api(story)


def test_a_selector_reaches_every_measured_figure_and_says_where_there_is_none(
    on_api: OnApi,
) -> None:
    async def story(api: Any) -> None:
        data = {"spec": {}, "status": {"latency_ms": {"p95": 1.5}}}
        await api.store.commit(
            [Put(kind="Variant", namespace="default", name="v", data=data, expected=None)]
        )
        assert await names(api, "/variants", fieldSelector="status.latency_ms.p95=1.5") == "v"
        answer = await api.ask("GET", "/events", params={"fieldSelector": "status.x=1"})
        assert answer.json()["error"]["message"].endswith("no field x; status has none")

    on_api(story)


def test_a_page_is_full_of_what_fits(on_api: OnApi) -> None:
    async def story(api: Any) -> None:
        devices = [a_device(f"d{i:03d}", odd=str(i % 2)) for i in range(250)]
        await api.store.commit(devices)
        seen: list[str] = []
        token = ""
        while token is not None:
            query = {"labelSelector": "odd=1", "limit": 60, "continue": token}
            page = (await api.ask("GET", "/devices", params=query)).json()
            seen += [one["metadata"]["name"] for one in page["items"]]
            assert len(page["items"]) in {60, 5}
            token = page["continue"]
        assert seen == [f"d{i:03d}" for i in range(1, 250, 2)]

    on_api(story)


def test_namespaces_keep_equal_names_apart(on_api: OnApi) -> None:
    async def story(api: Any) -> None:
        assert (await api.ask("GET", "/namespaces")).json()["items"] == []
        for namespace, priority in (("one", 1), ("two", 2)):
            document = a_profile(priority=priority)
            document["metadata"]["namespace"] = namespace
            await api.apply(document)
        await api.apply(a_deployment())
        found = (await api.ask("GET", "/namespaces")).json()["items"]
        assert [(one["metadata"]["name"], one["status"]["kinds"]) for one in found] == [
            ("default", ["deployments"]),
            ("one", ["deviceprofiles"]),
            ("two", ["deviceprofiles"]),
        ]
        path = "/namespaces/two/deviceprofiles"
        assert (await api.ask("GET", f"{path}/small")).json()["spec"]["priority"] == 2
        assert await names(api, path) == "small"
        assert await names(api, "/deviceprofiles") == "smallsmall"
        assert (await api.ask("DELETE", f"{path}/small")).status_code == 200
        assert await names(api, "/namespaces/one/deviceprofiles") == "small"

    on_api(story)
