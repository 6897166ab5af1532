"""A Model in use cannot vanish under a Deployment."""

from collections.abc import Callable
from typing import Any

from shoal.contract.problem import NotFoundError
from shoal.controller.store.port import Delete, Put
from tests.unit.api.documents import a_deployment

OnApi = Callable[..., None]
MODEL = "/namespaces/default/models/digits"


async def a_model_with_users(api: Any, *names: str) -> None:
    data = {"kind": "Model", "metadata": {"name": "digits", "namespace": "default"}, "spec": {}}
    for name in names:
        await api.apply({**a_deployment(), "metadata": {"name": name}})
    await api.store.commit(
        [Put(kind="Model", namespace="default", name="digits", data=data, expected=None)]
    )


async def marked(api: Any, kind: str, name: str) -> bool:
    record = await api.store.get(kind, "default", name)
    return bool(record.data["metadata"].get("deletionTime"))


def test_a_model_in_use_is_refused_with_all_its_users(on_api: OnApi) -> None:
    async def story(api: Any) -> None:
        await a_model_with_users(api, "a", "b")
        error = (await api.ask("DELETE", MODEL)).json()["error"]
        assert error["message"] == "Model digits is in use by a, b"
        assert "shoal delete model digits --cascade" in error["hint"]
        assert not await marked(api, "Model", "digits")

    on_api(story)


def test_cascade_marks_the_model_and_its_users_together(on_api: OnApi) -> None:
    async def story(api: Any) -> None:
        await a_model_with_users(api, "a", "b")
        answer = await api.ask("DELETE", MODEL, params={"cascade": True})
        assert answer.status_code == 200
        assert answer.json()["metadata"]["deletionTime"]
        assert [await marked(api, "Deployment", name) for name in "ab"] == [True, True]
        again = await api.ask("DELETE", MODEL, params={"cascade": True})
        assert again.json() == answer.json()

    on_api(story)


def test_the_audit_log_names_what_went_with_a_model(on_api: OnApi) -> None:
    async def story(api: Any) -> None:
        await a_model_with_users(api, "a", "b")
        await api.ask("DELETE", MODEL, params={"cascade": True})
        newest = (await api.ask("GET", "/audit", params={"verb": "delete"})).json()["items"][0]
        assert newest["spec"]["regarding"] == "Model/default/digits"
        assert newest["spec"]["detail"] == "with deployment a, b"

    on_api(story)


def test_nothing_may_come_to_use_a_model_on_its_way_out(on_api: OnApi) -> None:
    async def story(api: Any) -> None:
        await a_model_with_users(api, "a")
        await api.ask("DELETE", MODEL, params={"cascade": True})
        late = await api.ask("POST", "/apply", json=a_deployment())
        assert late.status_code == 409
        assert late.json()["error"]["message"] == "Model digits is being deleted"

    on_api(story)


def test_an_unused_model_goes_at_once(on_api: OnApi) -> None:
    async def story(api: Any) -> None:
        await a_model_with_users(api)
        assert (await api.ask("DELETE", MODEL)).status_code == 200
        assert (await api.ask("DELETE", MODEL)).status_code == 404

    on_api(story)


def test_a_model_whose_mark_was_left_behind_is_finished_by_the_next_delete(on_api: OnApi) -> None:
    async def story(api: Any) -> None:
        await a_model_with_users(api, "a")
        await api.ask("DELETE", MODEL, params={"cascade": True})
        await api.store.commit(
            [Delete(kind="Deployment", namespace="default", name="a", expected=None)]
        )
        assert (await api.ask("DELETE", MODEL)).status_code == 200
        try:
            await api.store.get("Model", "default", "digits")
        except NotFoundError:
            return
        raise AssertionError("the model is still there")

    on_api(story)
