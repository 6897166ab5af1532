"""Puts the routes of the operator plane together."""

from fastapi import APIRouter, FastAPI

from shoal.controller.api import (
    applying,
    audit,
    blobs,
    devices,
    documents,
    failures,
    health,
    metrics,
    namespaces,
    openapi,
    plans,
    reasons,
    rollouts,
    telemetry,
    tokens,
    waves,
)
from shoal.controller.api.guard import Guard
from shoal.controller.api.kinds import KindRoutes
from shoal.controller.api.mounting import Mounted
from shoal.controller.api.ports import ApiPorts

BASE = "/api/v1"


def create_app(ports: ApiPorts, *pages: APIRouter) -> FastAPI:
    """The HTTP side of a controller; `pages` are served beside the API, at the root."""
    app = FastAPI(
        title="Shoal",
        version=health.VERSION,
        openapi_url=f"{BASE}/openapi.json",
        docs_url=None,  # they load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
    )
    for router in (
        health.version(),
        applying.router(ports),
        tokens.router(ports),
        blobs.router(ports),
        telemetry.router(ports),
        rollouts.router(ports),
        devices.router(ports),
        audit.router(ports),
        namespaces.router(ports),
        waves.router(ports),
        plans.router(ports),
        reasons.router(ports),
        *(KindRoutes(kind, ports).router() for kind in documents.PLURALS),
    ):
        app.include_router(router, prefix=BASE)
    app.include_router(health.probes(ports))
    app.include_router(metrics.router(ports))
    for page in pages:
        app.include_router(page)
    failures.install(app)
    openapi.install(app)
    app.add_middleware(Mounted, root_path=ports.root_path)
    app.add_middleware(Guard, loopback_only=ports.loopback_only)
    return app
