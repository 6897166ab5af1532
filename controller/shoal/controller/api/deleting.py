"""Deletions: at once, or marked first where something must be taken back from devices.

A Deployment is marked; reconcile withdraws it from its devices and then removes it. A Model goes
only when no Deployment names it: it is marked first, from when on no Deployment may name it any
more, so nothing can come to use it between the look and the deletion.
"""

import contextlib
from dataclasses import replace
from typing import Any

from shoal.contract.problem import ConflictError
from shoal.controller.api import admission, documents, refusals
from shoal.controller.api.callers import Clerk, place_of
from shoal.controller.api.ports import ApiPorts
from shoal.controller.api.racing import until_it_fits
from shoal.controller.store.acts import Act
from shoal.controller.store.port import Delete, Put, Record, Write


class Deleter:
    """Deletes resources of the kinds that people write."""

    def __init__(self, ports: ApiPorts) -> None:
        self._ports = ports
        self._clerk = Clerk(now=ports.now)

    async def delete(
        self, kind: str, place: tuple[str, str], user: str, *, cascade: bool
    ) -> dict[str, Any]:
        """Remove the resource at (namespace, name), or mark it for removal.

        With `cascade` the Deployments of a Model go with it.

        Raises:
            NotFoundError: there is none.
            ConflictError: Deployments still use the Model.
        """
        admission.writable(kind)

        async def once() -> dict[str, Any]:
            current = await self._ports.store.get(kind, *place)
            act = self._clerk.act(user, "delete", place_of(current))
            if kind == "Model":
                return await self._model(current, act, cascade=cascade)
            if kind == "Deployment":
                return documents.resource(await self._marked([current], act))
            await self._ports.store.commit([_end(current)], act)
            return documents.resource(current)

        return await until_it_fits(once)

    async def _model(self, model: Record, act: Act, *, cascade: bool) -> dict[str, Any]:
        users = await self._users(model)
        if users and not cascade:
            raise refusals.in_use(model, [one.name for one in users])
        if users:
            names = ", ".join(one.name for one in users)
            act = replace(act, detail=f"with deployment {names}")
        marked = await self._marked([model, *users], act)
        if not users:
            # The Model's pass saw the mark too, and may have been here first.
            with contextlib.suppress(ConflictError):
                await self._ports.store.commit([_end(marked)])
        return documents.resource(marked)

    async def _users(self, model: Record) -> list[Record]:
        deployments = await self._ports.store.list("Deployment", model.namespace)
        return [one for one in deployments.records if admission.model_of(one) == model.name]

    async def _marked(self, records: list[Record], act: Act) -> Record:
        """The first of `records` as it was when all were marked; marking twice is marking once.

        It is not read again: whoever saw the mark may have removed it by then.
        """
        time = documents.iso(self._ports.now())
        writes: list[Write] = [
            _mark(one, time) for one in records if not one.data["metadata"].get("deletionTime")
        ]
        if not writes:
            return records[0]
        written = await self._ports.store.commit(writes, act)
        key = (records[0].kind, records[0].name)
        return next((one for one in written if (one.kind, one.name) == key), records[0])


def _mark(record: Record, time: str) -> Put:
    metadata = {**record.data["metadata"], "deletionTime": time}
    return Put(
        kind=record.kind,
        namespace=record.namespace,
        name=record.name,
        data={**record.data, "metadata": metadata},
        expected=record.resource_version,
    )


def _end(record: Record) -> Delete:
    return Delete(
        kind=record.kind,
        namespace=record.namespace,
        name=record.name,
        expected=record.resource_version,
    )
