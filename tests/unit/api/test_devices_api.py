"""Operators approve, revoke and drain devices."""

from collections.abc import Callable
from typing import Any

from shoal.controller.domain import standing
from shoal.controller.domain.standing import Approval
from shoal.controller.store.port import Put
from tests.unit.api.documents import a_device

OnApi = Callable[..., None]
ANN = {"Shoal-User": "ann"}


def path(verb: str, device: str = "cam") -> str:
    return f"/namespaces/default/devices/{device}/{verb}"


def an_identity(device: str) -> Put:
    data = {
        "device": device,
        "namespace": "default",
        "secret": "s",
        "key_sha256": "k",
        "token_sha256": "t",
    }
    return Put(kind="Identity", namespace="", name=device, data=data, expected=None)


async def decided(api: Any) -> standing.Standing:
    return standing.of((await api.store.get("Device", "default", "cam")).data)


def test_a_drained_device_is_suspended_until_it_is_approved_again(on_api: OnApi) -> None:
    async def story(api: Any) -> None:
        await api.store.commit([a_device("cam")])
        answer = await api.ask("POST", path("drain"), headers=ANN)
        assert answer.status_code == 200, answer.text
        assert answer.json()["spec"]["suspended"] is True
        assert answer.json()["metadata"]["generation"] == 2
        assert (await decided(api)).drained
        assert (await decided(api)).by == "ann"
        again = await api.ask("POST", path("drain"), headers={"Shoal-User": "bob"})
        assert again.json() == answer.json()
        lifted = await api.ask("POST", path("approve"), headers=ANN)
        assert lifted.json()["spec"]["suspended"] is False
        assert (await decided(api)).admitted

    on_api(story)


def test_revoking_ends_the_identity_for_good(on_api: OnApi) -> None:
    async def story(api: Any) -> None:
        await api.store.commit([a_device("cam"), an_identity("cam")])
        assert (await api.ask("POST", path("revoke"), headers=ANN)).status_code == 200
        assert (await api.store.get("Identity", "", "cam")).data["revoked"] is True
        assert (await decided(api)).approval is Approval.REVOKED
        assert (await api.ask("POST", path("revoke"))).status_code == 200
        for verb in ("approve", "drain"):
            refused = await api.ask("POST", path(verb))
            assert refused.status_code == 409
            assert "ann has revoked device cam" in refused.json()["error"]["message"]

    on_api(story)


def test_a_verb_on_no_device_is_not_found(on_api: OnApi) -> None:
    async def story(api: Any) -> None:
        for verb in ("approve", "revoke", "drain"):
            assert (await api.ask("POST", path(verb))).status_code == 404
        assert (await api.ask("POST", path("delete"))).status_code == 404

    on_api(story)


def test_a_device_without_an_identity_can_be_revoked(on_api: OnApi) -> None:
    async def story(api: Any) -> None:
        await api.store.commit([a_device("cam")])
        assert (await api.ask("POST", path("revoke"))).status_code == 200

    on_api(story)
