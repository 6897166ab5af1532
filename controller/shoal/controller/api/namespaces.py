"""Namespaces: rooms in which names are unique; one is there as long as something is in it."""

from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter

from shoal.controller.api import documents, openapi
from shoal.controller.api.ports import ApiPorts
from shoal.controller.store.port import Part, Store
from shoal.resources.base import API_VERSION

_LAST = "\U0010ffff"  # no name comes after it


def router(ports: ApiPorts) -> APIRouter:
    """`GET /namespaces`."""
    routes = APIRouter(tags=["Namespace"])

    @routes.get("/namespaces", name="List the namespaces in use", **openapi.answers_names())
    async def read() -> dict[str, Any]:
        found: dict[str, list[str]] = {}
        for kind, plural in documents.PLURALS.items():
            async for namespace in _of_kind(ports.store, kind):
                found.setdefault(namespace, []).append(plural)
        return {
            "items": [_document(name, found[name]) for name in sorted(found)],
            "continue": None,
        }

    return routes


async def _of_kind(store: Store, kind: str) -> AsyncIterator[str]:
    """Every namespace that holds this kind, by leaping from one to the next."""
    place = ("", _LAST)
    while records := (await store.list(kind, None, Part(after=place, limit=1))).records:
        yield records[0].namespace
        place = (records[0].namespace, _LAST)


def _document(name: str, plurals: list[str]) -> dict[str, Any]:
    return {
        "apiVersion": API_VERSION,
        "kind": "Namespace",
        "metadata": {"name": name},
        "spec": {},
        "status": {"kinds": plurals},
    }
