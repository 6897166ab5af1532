"""The dashboard's routes: the page, its live part as a stream and on demand, its own files."""

import asyncio
import contextlib
import importlib.resources
import json
from collections.abc import AsyncIterator

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, Response, StreamingResponse

from shoal.contract.problem import NotFoundError, Problem
from shoal.contract.reason import Reason
from shoal.controller.web.panel import Panel

_EVERY_S = 1.0
_ASSETS = {
    "shoal.css": "text/css; charset=utf-8",
    "shoal.js": "text/javascript; charset=utf-8",
    "shoal.svg": "image/svg+xml",
}


def router(panel: Panel, version: str, stopping: asyncio.Event) -> APIRouter:
    """`/`, `/live`, `/panel` and `/assets/…`; addresses in the page are relative."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/")
    async def page() -> HTMLResponse:
        return HTMLResponse(await panel.page(version), headers={"Cache-Control": "no-store"})

    @routes.get("/panel")
    async def now() -> HTMLResponse:
        return HTMLResponse(await panel.html(), headers={"Cache-Control": "no-store"})

    @routes.get("/live")
    async def live() -> StreamingResponse:
        return StreamingResponse(
            live_events(panel, stopping, _EVERY_S),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store"},
        )

    @routes.get("/assets/{name}")
    async def asset(name: str) -> Response:
        if name not in _ASSETS:
            raise NotFoundError(
                Problem(reason=Reason.NOT_FOUND, message=f"there is no asset {name}")
            )
        file = importlib.resources.files("shoal.controller.web") / "assets" / name
        return Response(
            file.read_bytes(), media_type=_ASSETS[name], headers={"Cache-Control": "no-cache"}
        )

    return routes


async def live_events(panel: Panel, stopping: asyncio.Event, every_s: float) -> AsyncIterator[str]:
    """Server-sent events: the live part when it changed, else a sign of life."""
    shown = ""
    while not stopping.is_set():
        html = await panel.html()
        if html == shown:
            yield "event: same\ndata:\n\n"
        else:
            shown = html
            yield f"data: {json.dumps(html)}\n\n"
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), every_s)
