"""Whether the controller lives and can answer, and which version it is."""

import importlib.metadata
from typing import Any

from fastapi import APIRouter

from shoal.controller.api.ports import ApiPorts

VERSION = importlib.metadata.version("shoal")


def probes(ports: ApiPorts) -> APIRouter:
    """`/livez` and `/readyz`."""
    routes = APIRouter(tags=["Health"])

    @routes.get("/livez", name="Ask whether the process lives")
    async def livez() -> dict[str, str]:
        return {"status": "ok"}

    @routes.get("/readyz", name="Ask whether the store answers")
    async def readyz() -> dict[str, str]:
        await ports.store.kept()
        return {"status": "ok"}

    return routes


def version() -> APIRouter:
    """`/version`."""
    routes = APIRouter(tags=["Health"])

    @routes.get("/version", name="Ask for the version")
    async def read() -> dict[str, Any]:
        return {"version": VERSION, "apiVersions": ["shoal/v1"]}

    return routes
