"""One HTTP connection pool to one controller; every failure leaves as a `ProblemError`."""

import contextlib
import getpass
import ipaddress
import json
import os
import re
import urllib.parse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from shoal.client import errors
from shoal.client.places import Item
from shoal.contract import headers
from shoal.contract.problem import InvalidError, NotFoundError, Problem
from shoal.contract.reason import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One call of the API: `path` is below `/api/v1`, `body` goes as JSON, `content` as it is.

    `item` is the resource that it is about, if it is about one. `patience_s` is how long its answer
    may take where that is not what other answers may take.
    """

    method: str
    path: str
    query: Mapping[str, str | int] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: object = None
    content: bytes | None = None
    item: Item | None = None
    patience_s: float | None = None

    @classmethod
    def of(cls, item: Item, method: str = "GET", below: str = "", **more: Any) -> "Request":
        """A call about one resource, or about what is `below` it; `more` are other fields."""
        return cls(method=method, path=f"{item.path}{below}", item=item, **more)


class Transport:
    """Sends requests to one controller.

    A proxy of the environment is honoured, but never for a controller on this machine.
    """

    def __init__(self, server: str, *, timeout_s: float) -> None:
        self.server = _address(server)
        self.timeout_s = timeout_s
        self._http = httpx.Client(
            base_url=self.server,
            timeout=timeout_s,
            trust_env=not _is_local(self.server),
            headers={"Accept": "application/json", headers.USER: _user()},
        )

    def close(self) -> None:
        """Closes the connections; the transport cannot be used afterwards."""
        self._http.close()

    def send(self, request: Request, *, accept: frozenset[int] = frozenset()) -> httpx.Response:
        """The answer to `request`: a success, or a status named in `accept`.

        Raises:
            ProblemError: any other answer, or none.
        """
        with self._explained(request.patience_s):
            answer = self._http.request(
                request.method,
                f"/api/v1{request.path}",
                params=dict(request.query),
                headers=dict(request.headers),
                content=_content(request),
                timeout=request.patience_s or self.timeout_s,
            )
        if answer.is_success or answer.status_code in accept:
            return answer
        error = errors.from_answer(answer.status_code, answer.content, _asked(request))
        if request.item is not None and isinstance(error, NotFoundError):
            raise errors.AbsentError(error.problem, request.item)
        raise error

    def json(self, request: Request) -> dict[str, Any]:
        """The JSON object that answers `request`."""
        answer = self.send(request)
        return _object(answer.content, answer.status_code, _asked(request))

    def lines(self, request: Request, *, silence_s: float | None) -> Iterator[dict[str, Any]]:
        """The JSON objects of an endless answer, one a line, until the server ends it.

        An empty line, which says that the server is there, is an empty object.

        Raises:
            UnreachableError: cut off, or nothing came for `silence_s` seconds (reason TimedOut).
        """
        patience = httpx.Timeout(self.timeout_s, read=silence_s)
        with (
            self._explained(silence_s),
            self._http.stream(
                request.method,
                f"/api/v1{request.path}",
                params=dict(request.query),
                timeout=patience,
            ) as answer,
        ):
            if not answer.is_success:
                raise errors.from_answer(answer.status_code, answer.read(), _asked(request))
            for line in answer.iter_lines():
                text = line.encode()
                yield _object(text, answer.status_code, _asked(request)) if text.strip() else {}

    @contextlib.contextmanager
    def _explained(self, patience_s: float | None = None) -> Iterator[None]:
        try:
            yield
        except httpx.ConnectTimeout as error:
            raise errors.unreachable(self.server, "no answer to the connection") from error
        except httpx.TimeoutException as error:
            raise errors.timed_out(self.server, patience_s or self.timeout_s) from error
        except httpx.HTTPError as error:
            raise errors.unreachable(self.server, errors.why(error)) from error


def _user() -> str:
    """Who asks, for the audit log: `SHOAL_USER`, else the name that this machine knows."""
    try:
        name = os.environ.get("SHOAL_USER") or getpass.getuser()
    except (OSError, KeyError):
        name = "unknown"  # a user id without a name, as containers have
    return re.sub(r"[^A-Za-z0-9._@+-]", "-", name)[:64]


def _content(request: Request) -> bytes | None:
    if request.body is None:
        return request.content
    return json.dumps(request.body, ensure_ascii=False, allow_nan=False).encode()


def _asked(request: Request) -> str:
    return f"{request.method} /api/v1{request.path}"


def _object(text: bytes, status: int, asked: str) -> dict[str, Any]:
    try:
        answer = json.loads(text)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise errors.from_answer(status, text, asked)
    return answer


def _address(server: str) -> str:
    """`server` as a URL; a bare `host:port` means http."""
    text = server if "://" in server else f"http://{server}"
    try:
        parts = urllib.parse.urlsplit(text)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise InvalidError(
            Problem(
                reason=Reason.INVALID,
                message=f"{server!r} is not the address of a controller",
                hint="write it like http://127.0.0.1:8470",
            )
        )
    return text.rstrip("/")


def _is_local(server: str) -> bool:
    host = urllib.parse.urlsplit(server).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
