"""Routes that explain: why a deployment or a device is as it is, and which decisions led there."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from shoal.controller.api import openapi, shapes
from shoal.controller.api.ports import ApiPorts

_DEPLOYMENT = "/namespaces/{namespace}/deployments/{name}"
_DEVICE = "/namespaces/{namespace}/devices/{name}"


def router(ports: ApiPorts) -> APIRouter:
    """`GET …/why` of deployments and devices, `GET …/decisions`."""
    routes = APIRouter(tags=["Explanations"])

    @routes.get(
        f"{_DEPLOYMENT}/why",
        name="Explain a deployment",
        **openapi.answers_with(shapes.DEPLOYMENT_WHY),
    )
    async def deployment(namespace: str, name: str) -> dict[str, Any]:
        return await ports.hindsight.why_deployment(namespace, name)

    @routes.get(
        f"{_DEVICE}/why", name="Explain a device", **openapi.answers_with(shapes.DEVICE_WHY)
    )
    async def device(namespace: str, name: str) -> dict[str, Any]:
        return await ports.hindsight.why_device(namespace, name)

    @routes.get(
        f"{_DEPLOYMENT}/decisions",
        name="List the kept decisions of a deployment, and decide them again where asked",
        **openapi.answers_with(shapes.DECISIONS),
    )
    async def decisions(
        namespace: str,
        name: str,
        replay: Annotated[bool, Query()] = False,  # noqa: FBT002 - a parameter
        number: Annotated[int | None, Query(ge=1)] = None,
    ) -> dict[str, Any]:
        found = await ports.hindsight.decisions(namespace, name, replay=replay, number=number)
        return {"items": list(found), "continue": None}

    return routes
