"""The route that says what applying documents would do, device by device, and writes nothing."""

from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from shoal.contract.problem import NotFoundError
from shoal.controller.api import bodies, differences, documents, openapi, shapes
from shoal.controller.api.callers import User
from shoal.controller.api.ports import ApiPorts
from shoal.controller.api.writing import How, Writer
from shoal.resources.kinds import WRITTEN_BY_PEOPLE

_DOCUMENTS: Final = 200  # in one plan; each is admitted as apply would
_BODY: Final = {
    "type": "object",
    "required": ["items"],
    "additionalProperties": False,
    "properties": {
        "items": {
            "type": "array",
            "maxItems": _DOCUMENTS,
            "items": {"oneOf": [openapi.described(kind) for kind in WRITTEN_BY_PEOPLE]},
        },
        "force": {"type": "boolean"},
    },
}


def router(ports: ApiPorts) -> APIRouter:
    """`POST /plan`."""
    routes = APIRouter(tags=["Apply"])
    writer = Writer(ports)

    @routes.post(
        "/plan",
        name="Say what applying resources would do",
        **openapi.answers_with(shapes.PLAN),
        **openapi.takes(_BODY),
    )
    async def plan(request: Request, user: User) -> JSONResponse:
        body = await bodies.read_object(request)
        bodies.only(body, ("items", "force"))
        items = _items(body)
        how = How(user=user, force=_force(body), dry_run=True, models=_models(items))
        done = [await writer.apply(one, how) for one in items]
        resources = [
            {
                "result": written.result,
                "object": written.resource,
                "warnings": list(written.warnings),
                "changes": differences.between(await _before(written.resource), written.resource),
            }
            for written in done
        ]
        found = await ports.foresight.plan([written.resource for written in done])
        # As it is: looking through a large fleet for what JSON does not know takes half a second.
        return JSONResponse({**found, "resources": resources})

    async def _before(resource: dict[str, Any]) -> dict[str, Any]:
        metadata = resource["metadata"]
        place = (resource["kind"], metadata["namespace"], metadata["name"])
        try:
            return documents.resource(await ports.store.get(*place))
        except NotFoundError:
            return {}

    return routes


def _items(body: dict[str, Any]) -> list[dict[str, Any]]:
    items = body.get("items")
    if not isinstance(items, list) or not all(isinstance(one, dict) for one in items):
        raise bodies.invalid("items", "items must be a list of resources")
    if len(items) > _DOCUMENTS:
        raise bodies.invalid("items", f"a plan takes at most {_DOCUMENTS} resources")
    return items


def _models(items: list[dict[str, Any]]) -> frozenset[tuple[str, str]]:
    """The Models among `items`; what is wrong with an item is told when it is applied."""
    return frozenset(
        (str(metadata.get("namespace", "default")), str(metadata.get("name")))
        for one in items
        if one.get("kind") == "Model" and isinstance(metadata := one.get("metadata"), dict)
    )


def _force(body: dict[str, Any]) -> bool:
    force = body.get("force", False)
    if not isinstance(force, bool):
        raise bodies.invalid("force", f"{force!r} is neither true nor false")
    return force
