"""The route that makes the store say what a document says."""

from typing import Any

from fastapi import APIRouter, Request

from shoal.controller.api import bodies, openapi
from shoal.controller.api.ports import ApiPorts
from shoal.controller.api.writing import Writer
from shoal.resources.kinds import WRITTEN_BY_PEOPLE

_ANY = {"oneOf": [{"$ref": f"#/components/schemas/{kind}"} for kind in WRITTEN_BY_PEOPLE]}


def router(ports: ApiPorts) -> APIRouter:
    """`POST /apply`."""
    routes = APIRouter(tags=["Apply"])
    writer = Writer(ports)

    @routes.post("/apply", name="Apply a resource", **openapi.takes(_ANY))
    async def apply(request: Request, dryRun: bool = False) -> dict[str, Any]:  # noqa: N803, FBT001, FBT002 - a query parameter
        done = await writer.apply(await bodies.read_object(request), dry_run=dryRun)
        return {"result": done.result, "object": done.resource, "warnings": list(done.warnings)}

    return routes
