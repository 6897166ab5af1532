"""Bodies of requests, held within limits: one body, all bodies, and requests inside at once."""

from collections.abc import Awaitable, Callable, MutableMapping
from types import TracebackType
from typing import Any, Self

from shoal.agent.serve.errors import RequestError
from shoal.contract.limits import INFER_BODY_BYTES, INFER_HELD_BYTES, INFER_IN_FLIGHT

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]


class GoneError(Exception):
    """The client left before its request was whole; there is nobody to answer."""


class Intake:
    """What all requests together hold at this moment."""

    def __init__(self) -> None:
        self.requests = 0
        self.held_bytes = 0

    def admit(self) -> "Ticket":
        """A place for one request.

        Raises:
            RequestError: 503, there are too many.
        """
        if self.requests >= INFER_IN_FLIGHT:
            raise RequestError(503, f"{self.requests} requests are inside already; try again")
        return Ticket(self)


class Ticket:
    """One request's place: a context manager that gives back what it held."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._held_bytes = 0

    def __enter__(self) -> Self:
        self._intake.requests += 1
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._intake.requests -= 1
        self._intake.held_bytes -= self._held_bytes

    async def body(self, receive: Receive, declared_bytes: int) -> bytes:
        """The whole body.

        Raises:
            RequestError: 413 above the limit of one body, 503 above that of all.
            GoneError: the client left.
        """
        self._check(declared_bytes)
        parts = []
        while True:
            message = await receive()
            if message["type"] != "http.request":
                raise GoneError
            part = message["body"]
            if part:
                self._check(self._held_bytes + len(part))
                self._held_bytes += len(part)
                self._intake.held_bytes += len(part)
                parts.append(part)
            if not message["more_body"]:
                return parts[0] if len(parts) == 1 else b"".join(parts)

    def _check(self, body_bytes: int) -> None:
        if body_bytes > INFER_BODY_BYTES:
            raise RequestError(413, f"a body may have {INFER_BODY_BYTES} bytes at most")
        if self._intake.held_bytes + body_bytes - self._held_bytes > INFER_HELD_BYTES:
            raise RequestError(503, "the requests inside hold too many bytes; try again")
