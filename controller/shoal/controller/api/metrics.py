"""What Prometheus scrapes; docs/metrics.md says what each metric means."""

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse, Response
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from shoal.controller.api.ports import ApiPorts


def router(ports: ApiPorts) -> APIRouter:
    """`GET /metrics`."""
    routes = APIRouter(tags=["Health"])

    @routes.get("/metrics", name="Read metrics for Prometheus", response_class=PlainTextResponse)
    async def metrics() -> Response:
        return Response(await ports.metrics.text(), media_type=CONTENT_TYPE_PLAIN_0_0_4)

    return routes
