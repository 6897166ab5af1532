"""What operators decide of a device: approve it, revoke it, drain it."""

import enum
from typing import Any

from fastapi import APIRouter

from shoal.contract import jsonform
from shoal.contract.problem import ConflictError, NotFoundError, Problem
from shoal.contract.reason import Reason
from shoal.controller.api import claiming, documents, openapi
from shoal.controller.api.callers import Clerk, User, place_of
from shoal.controller.api.ports import ApiPorts
from shoal.controller.api.racing import until_it_fits
from shoal.controller.domain import standing
from shoal.controller.domain.standing import Approval, Standing
from shoal.controller.link.roster import IDENTITY
from shoal.controller.store.port import Put, Record, Store


class Verb(enum.StrEnum):
    """What may be decided."""

    APPROVE = "approve"
    REVOKE = "revoke"
    DRAIN = "drain"


def router(ports: ApiPorts) -> APIRouter:
    """`POST /namespaces/{namespace}/devices/{name}/{approve,revoke,drain}`."""
    routes = APIRouter(tags=["Device"])
    desk = Desk(ports)
    one = "/namespaces/{namespace}/devices/{name}"
    answers = openapi.answers("Device")

    @routes.post(f"{one}/approve", name="Let a device have work", **answers)
    async def approve(namespace: str, name: str, user: User) -> dict[str, Any]:
        return await desk.decide((namespace, name), Verb.APPROVE, user)

    @routes.post(f"{one}/revoke", name="End a device's credentials", **answers)
    async def revoke(namespace: str, name: str, user: User) -> dict[str, Any]:
        return await desk.decide((namespace, name), Verb.REVOKE, user)

    @routes.post(f"{one}/drain", name="Take a device's work away", **answers)
    async def drain(namespace: str, name: str, user: User) -> dict[str, Any]:
        return await desk.decide((namespace, name), Verb.DRAIN, user)

    return routes


class Desk:
    """Where decisions about devices are taken down; twice is the same as once."""

    def __init__(self, ports: ApiPorts) -> None:
        self._ports = ports
        self._clerk = Clerk(now=ports.now)

    async def decide(self, place: tuple[str, str], verb: Verb, user: str) -> dict[str, Any]:
        """Carry out `verb` on the device at (namespace, name); its resource afterwards.

        A revoked device loses its links at once and its deployments with the next pass; a drained
        one is told to stop what it runs and stays in touch.

        Raises:
            NotFoundError: there is no such device.
            ConflictError: it was revoked for good.
        """

        async def once() -> dict[str, Any]:
            device = await self._ports.store.get("Device", *place)
            before = standing.of(device.data)
            after = _decided(device, before, verb)
            if after == before:
                return documents.resource(device)
            writes = [_write(device, self._signed(after, user), verb)]
            if verb is Verb.REVOKE:
                writes += await _end_of_identity(self._ports.store, device.name)
            act = self._clerk.act(user, verb, place_of(device))
            return documents.resource((await self._ports.store.commit(writes, act))[0])

        return await until_it_fits(once)

    def _signed(self, decided: Standing, user: str) -> Standing:
        return Standing(
            approval=decided.approval,
            drained=decided.drained,
            by=user,
            since=documents.iso(self._ports.now()),
        )


def _decided(device: Record, before: Standing, verb: Verb) -> Standing:
    if verb is Verb.REVOKE:
        return before.revoked()
    if before.approval is Approval.REVOKED:
        raise ConflictError(
            Problem(
                reason=Reason.CONFLICT,
                message=f"{before.by} has revoked device {device.name}: its credentials are gone",
                hint=f"shoal delete device {device.name}, then enrol it again",
            )
        )
    return before.approved() if verb is Verb.APPROVE else before.emptied()


def _write(device: Record, decided: Standing, verb: Verb) -> Put:
    """The device with its new standing; a drain is also a suspension that people see and lift."""
    metadata, spec = device.data["metadata"], claiming.whole_spec(device)
    wanted = spec if verb is Verb.REVOKE else {**spec, "suspended": decided.drained}
    generation = metadata.get("generation", 1) + (wanted != spec)
    data = {
        **device.data,
        "metadata": {**metadata, "generation": generation},
        "spec": wanted,
        standing.KEY: jsonform.to_json(decided),
    }
    return Put(
        kind=device.kind,
        namespace=device.namespace,
        name=device.name,
        data=claiming.rewritten(device, data, decided.by, decided.since),
        expected=device.resource_version,
    )


async def _end_of_identity(store: Store, device: str) -> list[Put]:
    """The write that ends every link of the device; none where it has no identity."""
    try:
        identity = await store.get(IDENTITY, "", device)
    except NotFoundError:
        return []
    return [
        Put(
            kind=IDENTITY,
            namespace="",
            name=device,
            data={**identity.data, "revoked": True},
            expected=identity.resource_version,
        )
    ]
