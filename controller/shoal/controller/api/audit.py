"""The audit log: every write and verb of operators, the newest first."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from shoal.contract.limits import PAGE_ITEMS
from shoal.controller.api import bodies, documents, openapi
from shoal.controller.api.ports import ApiPorts
from shoal.controller.store.acts import ActQuery, Entry
from shoal.resources.base import API_VERSION

KIND = "AuditEntry"


def router(ports: ApiPorts) -> APIRouter:
    """`GET /audit`."""
    routes = APIRouter(tags=[KIND])

    @routes.get("/audit", name="Read the audit log", **openapi.answers_list(KIND))
    async def read(
        limit: Annotated[int, Query(ge=0)] = 0,
        token: Annotated[str, Query(alias="continue")] = "",
        user: str = "",
        verb: str = "",
        kind: str = "",
        namespace: str = "",
        name: str = "",
    ) -> dict[str, Any]:
        size = min(limit, PAGE_ITEMS) if limit > 0 else PAGE_ITEMS
        query = ActQuery(
            before=_before(token),
            limit=size + 1,
            user=user,
            verb=verb,
            kind=kind,
            namespace=namespace,
            name=name,
        )
        found = await ports.store.acts(query)
        newest = await ports.store.acts(ActQuery(limit=1))
        return {
            "items": [document(entry) for entry in found[:size]],
            "continue": str(found[size - 1].sequence) if len(found) > size else None,
            # Noted elsewhere, it proves later that nothing up to here was changed.
            "metadata": {"head": newest[0].digest if newest else None},
        }

    return routes


def document(entry: Entry) -> dict[str, Any]:
    """The entry as a resource."""
    act = entry.act
    time = documents.iso(act.time_ms / 1000)
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {
            "name": f"{entry.sequence:012d}",
            "namespace": act.namespace,
            "creationTime": time,
        },
        "spec": {
            "time": time,
            "user": act.user,
            "verb": act.verb,
            "regarding": f"{act.kind}/{act.namespace}/{act.name}",
            "detail": act.detail,
            "storeVersion": str(entry.version),
            "digest": entry.digest,
        },
        "status": {},
    }


def _before(token: str) -> int | None:
    if not token:
        return None
    if not (token.isascii() and token.isdigit() and len(token) < 19):
        raise bodies.invalid("continue", "this is not a token that a list ended with")
    return int(token)
