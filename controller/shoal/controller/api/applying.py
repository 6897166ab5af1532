"""The route that makes the store say what a document says."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from shoal.controller.api import bodies, openapi
from shoal.controller.api.callers import User
from shoal.controller.api.ports import ApiPorts
from shoal.controller.api.writing import How, Writer
from shoal.resources.kinds import WRITTEN_BY_PEOPLE

_ANY = {"oneOf": [openapi.described(kind) for kind in WRITTEN_BY_PEOPLE]}
_DONE = openapi.fields(
    result={"enum": ["created", "configured", "unchanged"]},
    object=_ANY,
    warnings={"type": "array", "items": {"type": "string"}},
)


def router(ports: ApiPorts) -> APIRouter:
    """`POST /apply`."""
    routes = APIRouter(tags=["Apply"])
    writer = Writer(ports)

    @routes.post(
        "/apply",
        name="Apply a resource",
        **openapi.answers_with(_DONE),
        **openapi.takes(_ANY),
    )
    async def apply(
        request: Request,
        user: User,
        dry_run: Annotated[bool, Query(alias="dryRun")] = False,  # noqa: FBT002 - a parameter
        force: bool = False,  # noqa: FBT001, FBT002 - a query parameter
    ) -> dict[str, Any]:
        how = How(user=user, force=force, dry_run=dry_run)
        done = await writer.apply(await bodies.read_object(request), how)
        return {"result": done.result, "object": done.resource, "warnings": list(done.warnings)}

    return routes
