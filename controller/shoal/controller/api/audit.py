"""The audit log: every write and verb of operators, the newest first, and whether it is whole."""

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Query

from shoal.contract.limits import PAGE_ITEMS
from shoal.controller.api import bodies, documents, forms, openapi
from shoal.controller.api.ports import ApiPorts
from shoal.controller.store.acts import ActQuery, Entry, follows
from shoal.controller.store.port import Store
from shoal.resources.base import API_VERSION

KIND = "AuditEntry"
_PROOF = openapi.fields(
    intact="boolean",
    entries="integer",
    broken={"type": ["integer", "null"]},
    noted={"type": ["boolean", "null"]},
    head={"type": ["string", "null"]},
)


_NOTED = "A head that somebody noted earlier: the log must still hold it."


def router(ports: ApiPorts) -> APIRouter:
    """`GET /audit` and `GET /audit/proof`."""
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

    @routes.get(
        "/audit/proof",
        name="Say whether the audit log is as it was written",
        **openapi.answers_with(_PROOF),
    )
    async def proof(
        noted: Annotated[str | None, Query(pattern=forms.DIGEST, description=_NOTED)] = None,
    ) -> dict[str, Any]:
        return await _proof(ports.store, noted)

    return routes


async def _proof(store: Store, noted: str | None) -> dict[str, Any]:
    """Every entry against the one before it, from the newest back to the first."""
    query = ActQuery(limit=PAGE_ITEMS)
    head: Entry | None = None
    later: Entry | None = None
    entries, broken, met = 0, None, False
    while page := await store.acts(query):
        head = head or page[0]
        for entry in page:
            if later is not None and not follows(later, entry):
                broken = later.sequence
            entries, met, later = entries + 1, met or entry.digest == noted, entry
        query = replace(query, before=page[-1].sequence)
    if later is not None and not follows(later, None):
        broken = later.sequence
    return {
        "intact": broken is None and (met or not noted),
        "entries": entries,
        "broken": broken,  # the oldest that does not follow from what is before it
        "noted": met if noted else None,  # whether an entry has that digest
        "head": head.digest if head else None,
    }


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
