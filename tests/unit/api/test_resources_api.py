from collections.abc import Callable
from typing import Any

from tests.unit.api.documents import PROFILES, a_deployment, a_device, a_profile

OnApi = Callable[..., None]


def test_put_with_a_stale_version_is_a_conflict(on_api: OnApi) -> None:
    async def story(api: Any) -> None:
        stale = (await api.apply(a_profile()))["object"]
        await api.apply(a_profile(priority=1))
        answer = await api.ask("PUT", f"{PROFILES}/small", json=stale)
        assert answer.status_code == 409
        assert answer.json()["error"]["reason"] == "Conflict"
        fresh = (await api.ask("GET", f"{PROFILES}/small")).json()
        fresh["metadata"]["labels"] = {"x": "y"}
        assert (await api.ask("PUT", f"{PROFILES}/small", json=fresh)).status_code == 200
        missing = await api.ask("PUT", f"{PROFILES}/other", json=a_profile("other"))
        assert missing.status_code == 404

    on_api(story)


def test_post_creates_once(on_api: OnApi) -> None:
    async def story(api: Any) -> None:
        assert (await api.ask("POST", PROFILES, json=a_profile())).status_code == 201
        answer = await api.ask("POST", PROFILES, json=a_profile())
        assert answer.status_code == 409
        assert answer.json()["error"]["reason"] == "AlreadyExists"

    on_api(story)


def test_an_address_and_a_document_that_disagree_are_refused(on_api: OnApi) -> None:
    async def story(api: Any) -> None:
        elsewhere = a_profile()
        elsewhere["metadata"]["namespace"] = "other"
        for method, path, body in (
            ("POST", PROFILES, elsewhere),
            ("POST", PROFILES, a_deployment()),
            ("PUT", f"{PROFILES}/large", a_profile()),
            ("POST", PROFILES, {"kind": "DeviceProfile"}),
        ):
            answer = await api.ask(method, path, json=body)
            assert answer.status_code == 422, answer.text

    on_api(story)


def test_a_list_is_cut_into_pages_that_can_be_watched_from_the_first(on_api: OnApi) -> None:
    async def story(api: Any) -> None:
        for i in range(5):
            await api.apply(a_profile(f"p{i}"))
        names: list[str] = []
        token, versions = "", set()
        while True:
            query = {"limit": 2, "continue": token}
            body = (await api.ask("GET", "/deviceprofiles", params=query)).json()
            names += [one["metadata"]["name"] for one in body["items"]]
            versions.add(body["metadata"]["resourceVersion"])
            token = body["continue"]
            if not token:
                break
            await api.apply(a_profile("zz", priority=len(names)))
        assert names == ["p0", "p1", "p2", "p3", "p4", "zz"]
        assert versions == {"5"}
        bad = await api.ask("GET", "/deviceprofiles", params={"continue": "nonsense"})
        assert bad.status_code == 422

    on_api(story)


def test_devices_are_chosen_by_their_labels(on_api: OnApi) -> None:
    async def story(api: Any) -> None:
        await api.store.commit(
            [
                a_device("a", tier="small", app="reader"),
                a_device("b", tier="large", app="reader"),
                a_device("c", tier="small"),
            ]
        )
        for selector, expected in {
            "tier=small": "ac",
            "tier==small,app": "a",
            "tier!=small": "b",
            "app!=other": "abc",
            "tier in (small, large),!app": "c",
            "tier notin (small)": "b",
            "app": "ab",
            "": "abc",
        }.items():
            answer = await api.ask("GET", "/devices", params={"labelSelector": selector})
            names = "".join(one["metadata"]["name"] for one in answer.json()["items"])
            assert names == expected, selector
        for selector in ("tier=", "a=b=c", "in (a)", "k in", ",", "k in (a"):
            answer = await api.ask("GET", "/devices", params={"labelSelector": selector})
            assert (answer.status_code == 422) == (selector != "tier="), selector

    on_api(story)


def test_a_watch_of_lost_history_is_gone(on_api: OnApi) -> None:
    async def story(api: Any) -> None:
        for version in (0, 999):
            if version == 0:
                for i in range(60):
                    await api.apply(a_profile(priority=i))
            answer = await api.ask(
                "GET", "/deviceprofiles", params={"watch": 1, "resourceVersion": version}
            )
            assert answer.status_code == 410
            assert answer.json()["error"]["reason"] == "Gone"

    on_api(story)


def test_deleting_marks_a_deployment_and_removes_the_rest(on_api: OnApi) -> None:
    async def story(api: Any) -> None:
        await api.apply(a_profile())
        await api.apply(a_deployment())
        assert (await api.ask("DELETE", f"{PROFILES}/small")).status_code == 200
        assert (await api.ask("DELETE", f"{PROFILES}/small")).status_code == 404

        path = "/namespaces/default/deployments/digits"
        marked = (await api.ask("DELETE", path)).json()
        assert marked["metadata"]["deletionTime"]
        assert (await api.ask("DELETE", path)).json() == marked
        answer = await api.ask("POST", "/apply", json=a_deployment())
        assert answer.status_code == 409
        assert "being deleted" in answer.json()["error"]["message"]

    on_api(story)


def test_what_shoal_writes_nobody_else_writes(on_api: OnApi) -> None:
    async def story(api: Any) -> None:
        event = {
            "apiVersion": "shoal/v1",
            "kind": "Event",
            "metadata": {"name": "e"},
            "spec": {
                "regarding": "Device/default/a",
                "type": "Normal",
                "reason": "X",
                "message": "x",
                "count": 1,
                "firstTime": "t",
                "lastTime": "t",
            },
        }
        assert (await api.ask("POST", "/apply", json=event)).status_code == 403
        assert (await api.ask("DELETE", "/namespaces/default/events/e")).status_code == 405

    on_api(story)
