from collections.abc import Callable
from typing import Any

from shoal.contract import digest as digests
from shoal.controller.store.port import Put
from tests.unit.api.documents import a_deployment, a_device, a_profile, a_revision

OnApi = Callable[..., None]


def test_apply_creates_then_says_unchanged_then_configures(on_api: OnApi) -> None:
    async def story(api: Any) -> None:
        first = await api.apply(a_profile())
        assert first["result"] == "created"
        metadata = first["object"]["metadata"]
        assert (metadata["generation"], metadata["resourceVersion"]) == (1, "1")
        assert metadata["creationTime"] == "2026-01-02T03:04:05.678Z"
        assert first["object"]["spec"]["runtime"]["threads"] == 1

        again = await api.apply(a_profile())
        assert (again["result"], again["object"]) == ("unchanged", first["object"])

        third = await api.apply(a_profile(priority=3))
        assert third["result"] == "configured"
        assert third["object"]["metadata"]["generation"] == 2
        assert third["object"]["metadata"]["uid"] == metadata["uid"]

        relabelled = a_profile(priority=3)
        relabelled["metadata"]["labels"] = {"a": "b"}
        fourth = await api.apply(relabelled)
        assert fourth["result"] == "configured"
        assert fourth["object"]["metadata"]["generation"] == 2

    on_api(story)


def test_applying_again_keeps_a_status_written_meanwhile(on_api: OnApi) -> None:
    async def story(api: Any) -> None:
        await api.apply(a_profile())
        record = await api.store.get("DeviceProfile", "default", "small")
        data = {**record.data, "status": {"members": 3}}
        await api.store.commit(
            [
                Put(
                    kind="DeviceProfile",
                    namespace="default",
                    name="small",
                    data=data,
                    expected=record.resource_version,
                )
            ]
        )
        assert (await api.apply(a_profile()))["result"] == "unchanged"
        assert (await api.apply(a_profile(priority=1)))["object"]["status"] == {"members": 3}

    on_api(story)


def test_a_dry_run_writes_nothing(on_api: OnApi) -> None:
    async def story(api: Any) -> None:
        assert (await api.apply(a_profile(), dry_run=True))["result"] == "created"
        assert (await api.store.list("DeviceProfile")).resource_version == 0

    on_api(story)


def test_a_wrong_manifest_is_refused_with_every_problem(on_api: OnApi) -> None:
    async def story(api: Any) -> None:
        wrong = a_profile(prioritty=1, budget={"artifact": 3})
        answer = await api.ask("POST", "/apply", json=wrong)
        assert answer.status_code == 422
        assert answer.json()["error"] == {
            "reason": "UnknownField",
            "message": "spec has no field prioritty",
            "field": "spec.prioritty",
            "hint": "did you mean priority?",
        }
        assert len(answer.json()["problems"]) == 2

    on_api(story)


def test_a_device_is_labelled_but_never_created_by_hand(on_api: OnApi) -> None:
    device = {"apiVersion": "shoal/v1", "kind": "Device", "metadata": {"name": "cam"}}

    async def story(api: Any) -> None:
        answer = await api.ask("POST", "/apply", json=device)
        assert answer.status_code == 422
        assert "enrol" in answer.json()["error"]["hint"]
        await api.store.commit([a_device("cam", tier="small")])
        labelled = {**device, "metadata": {"name": "cam", "labels": {"room": "3"}}}
        done = await api.apply(labelled)
        assert done["object"]["metadata"]["labels"] == {"tier": "small", "room": "3"}
        assert (await api.apply(labelled))["result"] == "unchanged"

    on_api(story)


def a_model(**data: Any) -> dict[str, Any]:
    def digest(text: str) -> str:
        return digests.of_bytes(text.encode())

    return {
        "apiVersion": "shoal/v1",
        "kind": "Model",
        "metadata": {"name": "digits"},
        "spec": {
            "source": digest("source"),
            "assets": [f"labels.txt={digest('labels')}"],
            "data": {"calibration": digest("c"), "evaluation": digest("e"), **data},
        },
    }


async def upload(api: Any, *texts: str) -> None:
    for text in texts:
        data = text.encode()
        await api.blobs.upload(digests.of_bytes(data), 0, data, len(data))


def test_a_model_needs_its_files_uploaded_first(on_api: OnApi) -> None:
    async def story(api: Any) -> None:
        path = a_model()
        path["spec"]["source"] = "teacher.onnx"
        answer = await api.ask("POST", "/apply", json=path)
        assert answer.json()["error"]["field"] == "spec.source"
        assert "shoal apply" in answer.json()["error"]["hint"]

        answer = await api.ask("POST", "/apply", json=a_model())
        assert answer.status_code == 422
        fields = [one["field"] for one in answer.json()["problems"]]
        assert fields == [
            "spec.source",
            "spec.data.calibration",
            "spec.data.evaluation",
            "spec.assets[0]",
        ]
        assert (await api.apply(a_model(), dry_run=True))["result"] == "created"
        await upload(api, "source", "labels", "c", "e")
        assert (await api.apply(a_model()))["result"] == "created"

    on_api(story)


def test_apply_warns_of_what_will_wait_or_never_be_decided(on_api: OnApi) -> None:
    async def story(api: Any) -> None:
        gates = [{"metric": "accuracy", "maxDrop": 0.02}]
        wanted = a_deployment(strategy={"gates": gates})
        waits = (await api.apply(wanted))["warnings"]
        assert len(waits) == 2
        assert "matches no device" in waits[0]
        assert "model digits does not exist" in waits[1]

        await upload(api, "source", "labels", "c", "e")
        (too_small,) = (await api.apply(a_model(golden=100)))["warnings"]
        assert "298" in too_small
        await api.store.commit([a_device("a", app="reader")])
        (same,) = (await api.apply(wanted))["warnings"]
        assert "298" in same
        assert (await api.apply(a_model(golden=298)))["warnings"] == []
        assert (await api.apply(wanted))["warnings"] == []
        pinned = {**wanted, "spec": {**wanted["spec"], "model": "digits@99"}}
        assert (await api.apply(pinned, dry_run=True))["warnings"] == [
            "model digits has no revision 99 now, it has none yet; the rollout waits for it"
        ]
        spec = (await api.store.get("Model", "default", "digits")).data["spec"]
        await api.store.commit([a_revision(number, spec) for number in (1, 2)])
        assert (await api.apply(pinned, dry_run=True))["warnings"] == [
            "model digits has no revision 99 now, the newest is 2; the rollout waits for it"
        ]
        pinned["spec"]["model"] = "digits@2"
        assert (await api.apply(pinned, dry_run=True))["warnings"] == []
        (nobody,) = (await api.apply(a_profile(selector={"matchLabels": {"x": "y"}})))["warnings"]
        assert "matches no device" in nobody

    on_api(story)
