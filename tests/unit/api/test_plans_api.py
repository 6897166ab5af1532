"""Plans, explanations and decisions over the API; what they say is tested where it is made."""

from collections.abc import Callable
from typing import Any

from shoal.controller.api import differences
from tests.unit.api.documents import a_deployment, a_device, a_profile

OnApi = Callable[..., None]


async def plan(api: Any, *documents: dict[str, Any]) -> dict[str, Any]:
    await api.world.load()
    answer = await api.ask("POST", "/plan", json={"items": list(documents)})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_plan_tells_each_device_and_writes_nothing(on_api: OnApi) -> None:
    async def story(api: Any) -> None:
        await api.store.commit([a_device("cam-1", app="reader"), a_device("cam-2", app="other")])
        before = await api.store.kept()
        found = await plan(api, a_deployment(), a_profile(budget={"artifact": "10KiB"}))
        assert await api.store.kept() == before
        (item,) = found["items"]
        assert item["deployment"] == "default/digits"
        (device,) = item["devices"]
        assert (device["device"], device["reason"]) == ("cam-1", "NeverReported")
        assert item["reason"] == "ModelNotReady"
        assert [one["result"] for one in found["resources"]] == ["created", "created"]

    on_api(story)


def test_a_plan_says_which_fields_differ(on_api: OnApi) -> None:
    async def story(api: Any) -> None:
        await api.apply(a_deployment())
        same = (await plan(api, a_deployment()))["resources"][0]
        assert (same["result"], same["changes"]) == ("unchanged", [])
        changed = await plan(api, a_deployment(strategy={"maxFailures": "20%"}))
        (field,) = changed["resources"][0]["changes"]
        assert field == {"field": "spec.strategy.maxFailures", "from": "10%", "to": "20%"}

    on_api(story)


def test_a_new_model_is_searched_for_before_anything_moves(on_api: OnApi) -> None:
    async def story(api: Any) -> None:
        digest = "sha256:" + "a" * 64
        data = {"calibration": "sha256:" + "b" * 64, "evaluation": "sha256:" + "c" * 64}
        model = {
            "apiVersion": "shoal/v1",
            "kind": "Model",
            "metadata": {"name": "digits"},
            "spec": {
                "source": digest,
                "quality": {"metric": "top1", "maxDrop": 0.01},
                "data": data,
            },
        }
        found = await plan(api, model, a_deployment())
        (item,) = found["items"]
        assert (item["starts"], item["reason"]) == (False, "ModelNotReady")
        missing = "model digits does not exist now; the rollout waits for it"
        assert missing not in found["resources"][1]["warnings"]
        alone = await plan(api, a_deployment())
        assert missing in alone["resources"][0]["warnings"]

    on_api(story)


def test_a_wrong_plan_is_refused(on_api: OnApi) -> None:
    async def story(api: Any) -> None:
        bodies: list[Any] = [
            {},
            {"items": {}},
            {"items": [3]},
            {"items": [{}]},
            {"items": [], "dryRun": True},
            {"items": [], "force": 1},
            {"items": [a_deployment()] * 201},
            {"items": [a_deployment(model="Digits!")]},
        ]
        for body in bodies:
            answer = await api.ask("POST", "/plan", json=body)
            assert answer.status_code == 422, body

    on_api(story)


def test_explanations_and_decisions_are_of_what_exists(on_api: OnApi) -> None:
    async def story(api: Any) -> None:
        for path in ("deployments/digits/why", "deployments/digits/decisions", "devices/cam-1/why"):
            assert (await api.ask("GET", f"/namespaces/default/{path}")).status_code == 404
        await api.store.commit([a_device("cam-1", app="reader")])
        await api.apply(a_deployment())
        await api.world.load()
        deployment = (await api.ask("GET", "/namespaces/default/deployments/digits/why")).json()
        assert (deployment["state"], deployment["decision"]) == ("none", None)
        device = (await api.ask("GET", "/namespaces/default/devices/cam-1/why")).json()
        assert device["deployments"][0]["reason"] == "NeverReported"
        path = "/namespaces/default/deployments/digits/decisions?replay=1"
        assert (await api.ask("GET", path)).json() == {"items": [], "continue": None}

    on_api(story)


def test_differences_are_told_field_by_field() -> None:
    before = {
        "spec": {"a": {"b": 1}, "list": [1, 2], "gone": 1},
        "metadata": {"labels": {"k": "v"}},
    }
    after = {"spec": {"a": {"b": 2}, "list": [1, 3], "new": [1]}, "metadata": {}}
    found = {one["field"]: (one["from"], one["to"]) for one in differences.between(before, after)}
    assert found == {
        "spec.a.b": (1, 2),
        "spec.list[1]": (2, 3),
        "spec.gone": (1, None),
        "spec.new": (None, [1]),
        "metadata.labels.k": ("v", None),
    }
    created = differences.between({}, {"spec": {"a": {"b": 1}, "none": None, "empty": {}}})
    assert created == [
        {"field": "spec.a.b", "from": None, "to": 1},
        {"field": "spec.empty", "from": None, "to": {}},
    ]
