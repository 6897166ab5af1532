"""Several people apply one resource: each has their fields, and nobody loses one unasked."""

from collections.abc import Callable
from typing import Any

from tests.unit.api.documents import PROFILES, a_deployment, a_device, a_profile

OnApi = Callable[..., None]


def by(user: str) -> dict[str, str]:
    return {"Shoal-User": user}


async def apply(api: Any, user: str, document: dict[str, Any], **query: Any) -> Any:
    return await api.ask("POST", "/apply", json=document, headers=by(user), params=query)


def test_two_appliers_of_different_fields_do_not_fight(on_api: OnApi) -> None:
    async def story(api: Any) -> None:
        await apply(api, "ann", a_profile(priority=2, budget={"artifact": "1MiB"}))
        await apply(api, "bob", a_profile(budget={"memory": "8MiB"}))
        done = (await apply(api, "ann", a_profile(priority=3))).json()
        assert done["result"] == "configured"
        spec = done["object"]["spec"]
        assert spec["priority"] == 3
        assert spec["budget"]["memory"] == "8MiB"
        assert spec["budget"]["artifact"] is None
        again = (await apply(api, "bob", a_profile(budget={"memory": "8MiB"}))).json()
        assert (again["result"], again["object"]) == ("unchanged", done["object"])

    on_api(story)


def test_a_part_of_a_resource_is_enough_for_who_comes_second(on_api: OnApi) -> None:
    async def story(api: Any) -> None:
        await apply(api, "ann", a_deployment())
        part = {**a_deployment(), "spec": {"strategy": {"quorum": "20%"}}}
        spec = (await apply(api, "bob", part)).json()["object"]["spec"]
        assert (spec["model"], spec["strategy"]["quorum"]) == ("digits", "20%")
        alone = {**part, "metadata": {"name": "other"}}
        refused = await apply(api, "bob", alone)
        assert refused.status_code == 422
        assert refused.json()["error"]["field"] == "spec.model"

    on_api(story)


def test_a_conflict_names_the_field_and_the_other_user(on_api: OnApi) -> None:
    async def story(api: Any) -> None:
        labelled = a_profile(priority=2)
        labelled["metadata"]["labels"] = {"team": "a"}
        await apply(api, "ann", labelled)
        other = a_profile(priority=5)
        other["metadata"]["labels"] = {"team": "b"}
        answer = await apply(api, "bob", other)
        assert answer.status_code == 409
        problems = answer.json()["problems"]
        assert [one["field"] for one in problems] == ["metadata.labels.team", "spec.priority"]
        assert all("ann" in one["message"] and "ann" in one["hint"] for one in problems)
        assert (await apply(api, "bob", other, dryRun=True)).status_code == 409

        taken = (await apply(api, "bob", other, force=True)).json()
        assert taken["object"]["spec"]["priority"] == 5
        back = await apply(api, "ann", labelled)
        assert back.status_code == 409
        assert "bob" in back.json()["error"]["message"]

    on_api(story)


def test_what_a_replacement_changes_is_its_writers_from_then_on(on_api: OnApi) -> None:
    async def story(api: Any) -> None:
        await apply(api, "ann", a_profile(priority=1))
        whole = (await api.ask("GET", f"{PROFILES}/small")).json()
        whole["metadata"]["labels"] = {"x": "y"}
        await api.ask("PUT", f"{PROFILES}/small", json=whole, headers=by("bob"))
        kept = (await apply(api, "ann", a_profile(priority=7))).json()
        assert kept["object"]["metadata"]["labels"] == {"x": "y"}
        assert kept["object"]["spec"]["priority"] == 7
        whole["spec"]["priority"] = 9
        del whole["metadata"]["resourceVersion"]
        await api.ask("PUT", f"{PROFILES}/small", json=whole, headers=by("bob"))
        assert (await apply(api, "ann", a_profile(priority=7))).status_code == 409

    on_api(story)


def test_a_label_from_enrolment_outlives_the_files_that_leave_it_out(on_api: OnApi) -> None:
    def labelled(**labels: str) -> dict[str, Any]:
        metadata = {"name": "cam", "labels": labels}
        return {"apiVersion": "shoal/v1", "kind": "Device", "metadata": metadata}

    async def story(api: Any) -> None:
        await api.store.commit([a_device("cam", tier="small")])
        await apply(api, "ann", labelled(room="3"))
        await apply(api, "bob", labelled(floor="1"))
        done = (await apply(api, "ann", labelled(tier="large"))).json()
        assert done["object"]["metadata"]["labels"] == {"tier": "large", "floor": "1"}
        done = (await apply(api, "ann", labelled())).json()
        assert done["object"]["metadata"]["labels"] == {"tier": "small", "floor": "1"}

    on_api(story)


def test_a_file_does_not_end_a_drain_that_it_does_not_speak_of(on_api: OnApi) -> None:
    device = {"apiVersion": "shoal/v1", "kind": "Device", "metadata": {"name": "cam"}}

    async def story(api: Any) -> None:
        await api.store.commit([a_device("cam")])
        await apply(api, "ann", device)
        await api.ask("POST", "/namespaces/default/devices/cam/drain", headers=by("bob"))
        await apply(api, "ann", {**device, "metadata": {"name": "cam", "labels": {"a": "b"}}})
        spec = (await api.ask("GET", "/namespaces/default/devices/cam")).json()["spec"]
        assert spec["suspended"] is True
        refused = await apply(api, "ann", {**device, "spec": {"suspended": False}})
        assert refused.status_code == 409
        assert "bob" in refused.json()["error"]["message"]

    on_api(story)


def test_a_document_of_too_many_fields_is_refused(on_api: OnApi) -> None:
    async def story(api: Any) -> None:
        spec = {f"f{number}": number for number in range(6_000)}
        answer = await apply(api, "ann", {**a_profile(), "spec": spec})
        assert answer.status_code == 422
        assert "more than 5000 fields" in answer.json()["error"]["message"]

    on_api(story)
