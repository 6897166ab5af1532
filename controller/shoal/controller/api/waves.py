"""The devices of a rollout by wave: what `shoal rollout status -w` draws."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query

from shoal.controller.api import openapi
from shoal.controller.api.ports import ApiPorts

_ONE = "/namespaces/{namespace}/deployments/{name}"
_TEXT: Final = {"type": "string"}
_TEXT_OR_NULL: Final = {"type": ["string", "null"]}
_SEAT: Final = {
    "type": "object",
    "properties": {
        "device": _TEXT,
        "cohort": _TEXT_OR_NULL,
        "outcome": _TEXT,
        "reason": _TEXT,
        "message": _TEXT,
        "since": _TEXT_OR_NULL,
    },
}
_ROLL: Final = {
    "type": "object",
    "properties": {
        "wave": {"type": ["integer", "null"]},
        "name": _TEXT_OR_NULL,
        "devices": {"type": "integer"},
        "counts": {"type": "object", "additionalProperties": {"type": "integer"}},
        "shown": {"type": "array", "items": _SEAT},
    },
}


def router(ports: ApiPorts) -> APIRouter:
    """`GET …/waves`."""
    routes = APIRouter(tags=["Deployment"])

    @routes.get(
        f"{_ONE}/waves",
        name="List the waves of a rollout with their devices",
        **openapi.answers_items(_ROLL),
    )
    async def waves(
        namespace: str, name: str, devices: Annotated[int, Query(ge=0, le=500)] = 20
    ) -> dict[str, Any]:
        return {"items": await ports.roll_calls.waves(namespace, name, devices)}

    return routes
