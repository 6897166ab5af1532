"""What every request and answer passes: whose page asks, and what a browser may do with the answer.

A controller on loopback has no login, so a page from elsewhere must not reach it through a
browser: the Host header must be loopback's own (DNS rebinding) and the Origin, where a browser
sends one, must be the controller's (cross-site requests). A proxy on this machine asks with its own
Host and tells the browser's in X-Forwarded-Host, which no page elsewhere can make a browser send.
"""

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shoal.contract.problem import Problem
from shoal.contract.reason import Reason
from shoal.controller.api.failures import answer

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Guard:
    """Pure ASGI, so that endless answers stream through it."""

    def __init__(self, app: ASGIApp, *, loopback_only: bool) -> None:
        self._app = app
        self._loopback_only = loopback_only

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse or pass on, and add the headers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        refusal = self._refusal(Headers(scope=scope))
        if refusal is not None:
            await answer(403, [refusal])(scope, receive, with_headers)
            return
        await self._app(scope, receive, with_headers)

    def _refusal(self, headers: Headers) -> Problem | None:
        host = headers.get("host", "")
        if self._loopback_only and _name(f"//{host}") not in _LOOPBACK:
            return Problem(
                reason=Reason.FORBIDDEN,
                message=f"this controller serves its own machine only, not the host {host!r}",
                hint="ask http://127.0.0.1, or start it with another --listen",
            )
        origin = headers.get("origin")
        if origin is not None and _netloc(origin) not in {host, headers.get("x-forwarded-host")}:
            return Problem(
                reason=Reason.FORBIDDEN, message=f"pages of {origin} may not use this controller"
            )
        return None


def _netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def _name(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None
