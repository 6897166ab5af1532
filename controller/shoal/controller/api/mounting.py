"""Served below a path of somebody else's address (`--root-path`), as proxies do it.

Some proxies take the path off before they ask, others do not: both are understood.
"""

from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send


class Mounted:
    """Pure ASGI, so that endless answers stream through it; `root_path` is such as `/shoal`."""

    def __init__(self, app: ASGIApp, *, root_path: str) -> None:
        self._app = app
        self._root_path = root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Tell the application where it stands."""
        if scope["type"] != "http" or not self._root_path:
            await self._app(scope, receive, send)
            return
        path: str = scope["path"]
        if path == self._root_path:
            # Addresses in the pages are relative: without the slash they would miss the path.
            await RedirectResponse(f"{path}/", status_code=308)(scope, receive, send)
            return
        if not path.startswith(f"{self._root_path}/"):
            path = self._root_path + path
        await self._app({**scope, "path": path, "root_path": self._root_path}, receive, send)
