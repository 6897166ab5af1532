"""The controller behind a proxy, below a path of somebody else's address."""

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import APIRouter
from fastapi.responses import PlainTextResponse

from shoal.controller.api.app import create_app
from shoal.controller.api.mounting import Mounted
from tests.unit.api.conftest import some_ports

Story = Callable[[httpx.AsyncClient], Awaitable[None]]


@pytest.fixture
def below_shoal(tmp_path: Path) -> Callable[[Story], None]:
    """Runs a story against a controller with `--root-path /shoal`."""
    page = APIRouter()
    page.add_api_route("/", lambda: PlainTextResponse("the page"), include_in_schema=False)
    ports = dataclasses.replace(some_ports(tmp_path)[0], root_path="/shoal")

    def run(story: Story) -> None:
        async def whole() -> None:
            transport = httpx.ASGITransport(create_app(ports, page))
            base = "http://127.0.0.1:8470"
            async with httpx.AsyncClient(transport=transport, base_url=base) as http:
                await story(http)

        asyncio.run(whole())

    return run


def test_the_path_is_understood_with_and_without_the_proxys_part(
    below_shoal: Callable[[Story], None],
) -> None:
    async def story(http: httpx.AsyncClient) -> None:
        for path in ("/shoal/api/v1/version", "/api/v1/version", "/shoal/livez", "/livez"):
            assert (await http.get(path)).status_code == 200, path
        for path in ("/shoal/", "/"):
            assert (await http.get(path)).text == "the page"
        for path in ("/shoalx/livez", "/shoal/shoal/livez"):
            assert (await http.get(path)).status_code == 404, path
        assert (await http.get("/shoal")).headers["location"] == "/shoal/"

    below_shoal(story)


def test_the_description_says_where_the_api_is(below_shoal: Callable[[Story], None]) -> None:
    async def story(http: httpx.AsyncClient) -> None:
        described: dict[str, Any] = (await http.get("/shoal/api/v1/openapi.json")).json()
        assert described["servers"] == [{"url": "/shoal"}]

    below_shoal(story)


def test_a_proxys_visitors_may_use_its_own_pages_and_no_others(
    below_shoal: Callable[[Story], None],
) -> None:
    async def story(http: httpx.AsyncClient) -> None:
        seen = {"origin": "https://ops.example", "x-forwarded-host": "ops.example"}
        assert (await http.get("/api/v1/version", headers=seen)).status_code == 200
        for wrong in ({**seen, "origin": "https://evil.example"}, {**seen, "origin": "http://[x"}):
            assert (await http.get("/api/v1/version", headers=wrong)).status_code == 403

    below_shoal(story)


def test_without_a_root_path_nothing_changes() -> None:
    seen: list[Any] = []

    async def application(scope: Any, _receive: Any, _send: Any) -> None:
        seen.append(scope)

    scope = {"type": "http", "path": "/x"}
    asyncio.run(Mounted(application, root_path="")(scope, None, None))  # type: ignore[arg-type]
    assert seen == [scope]
