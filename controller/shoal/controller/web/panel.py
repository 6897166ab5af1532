"""Renders the live part of the page, for everybody who looks, at most once in a while."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

import jinja2

from shoal.contract.telemetry import TelemetryWindow
from shoal.controller.store.port import Record, Store, TelemetryStore
from shoal.controller.web import series, view

_FRESH_S = 0.9
# A page of a large fleet costs time: rendering takes at most this share of it.
_SHARE = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What the page reads; `now` is seconds since the epoch."""

    store: Store
    telemetry: TelemetryStore
    now: Callable[[], float]


class Panel:
    """The live part as HTML, shared by all viewers."""

    def __init__(self, sources: Sources, fresh_s: float = _FRESH_S) -> None:
        self._sources = sources
        self._fresh_s = fresh_s
        self._templates = jinja2.Environment(
            loader=jinja2.PackageLoader("shoal.controller.web"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters["percent"] = view.percent
        self._templates.filters["number"] = view.number
        self._lock = asyncio.Lock()
        self._html = ""
        self._fresh_until = 0.0

    async def page(self, version: str) -> str:
        """The whole page."""
        template = self._templates.get_template("page.html")
        return template.render(panel=await self.html(), version=version)

    async def html(self) -> str:
        """The live part, not older than a moment."""
        async with self._lock:
            started = time.monotonic()
            if started >= self._fresh_until:
                self._html = await self._render()
                ended = time.monotonic()
                self._fresh_until = ended + max(self._fresh_s, (ended - started) / _SHARE)
            return self._html

    async def _render(self) -> str:
        devices = await self._list("Device")
        rows = view.devices(devices)
        lines = await self._series()
        return self._templates.get_template("panel.html").render(
            devices=rows,
            device_count=len(devices),
            shown_count=len({row.name for row in rows}),
            ready_count=view.ready_count(devices),
            rollouts=view.rollouts(await self._list("Deployment"), await self._list("Variant")),
            series=lines,
            rate_s=sum(one.rate_s for one in lines),
            error_count=sum(one.errors for one in lines),
            events=view.events(await self._list("Event")),
        )

    async def _list(self, kind: str) -> tuple[Record, ...]:
        return (await self._sources.store.list(kind)).records

    async def _series(self) -> list[series.Series]:
        since_ms = round((self._sources.now() - series.SPAN_S) * 1000)
        windows: dict[str, list[TelemetryWindow]] = defaultdict(list)
        for one in await self._sources.telemetry.windows(None, since_ms):
            windows[one.window.deployment].append(one.window)
        return [series.series(key, found) for key, found in sorted(windows.items())]
