"""A device's own inference server, asked directly: the Open Inference Protocol v2 over HTTP."""

import ipaddress
import json
import time
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import httpx

from shoal.client import errors
from shoal.client.npz import Tensor
from shoal.contract.problem import (
    FailedError,
    InvalidError,
    NotFoundError,
    Problem,
    ProblemError,
    UnreachableError,
)
from shoal.contract.reason import Reason

_CLASSES: Mapping[int, tuple[type[ProblemError], Reason]] = {
    400: (InvalidError, Reason.BAD_DATA),
    404: (NotFoundError, Reason.NOT_FOUND),
    413: (InvalidError, Reason.BAD_DATA),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a model answered to one row, and how long that took from here."""

    document: dict[str, Any]
    latency_ms: float


class Serving:
    """Speaks to one device; also a context manager that closes its connection."""

    def __init__(self, url: str, *, timeout_s: float) -> None:
        self._url = url
        socket = url.removeprefix("unix:") if url.startswith("unix:") else None
        self._http = httpx.Client(
            base_url="http://device" if socket else url,
            timeout=timeout_s,
            transport=httpx.HTTPTransport(uds=socket) if socket else None,
            trust_env=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.close()

    def inputs(self, model: str) -> dict[str, tuple[str, tuple[int, ...]]]:
        """Type and shape of each input of `model`; -1 is any size."""
        answer = self._send("GET", f"/v2/models/{_quoted(model)}")
        return {
            one["name"]: (one["datatype"], tuple(one["shape"])) for one in answer.json()["inputs"]
        }

    def infer(self, model: str, feeds: Mapping[str, Tensor]) -> Answer:
        """What `model` answers to these inputs; numbers come back as lists."""
        described = [
            {
                "name": name,
                "datatype": one.datatype,
                "shape": list(one.shape),
                "parameters": {"binary_data_size": len(one.data)},
            }
            for name, one in feeds.items()
        ]
        head = json.dumps({"inputs": described}).encode()
        body = b"".join((head, *(one.data for one in feeds.values())))
        headers = {"Inference-Header-Content-Length": str(len(head))}
        start = time.perf_counter()
        answer = self._send(
            "POST", f"/v2/models/{_quoted(model)}/infer", content=body, headers=headers
        )
        latency_ms = (time.perf_counter() - start) * 1000
        return Answer(document=answer.json(), latency_ms=latency_ms)

    def _send(self, method: str, path: str, **more: Any) -> httpx.Response:
        try:
            answer = self._http.request(method, path, **more)
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error
        if answer.is_success:
            return answer
        kind, reason = _CLASSES.get(answer.status_code, (FailedError, Reason.INTERNAL))
        message = f"the device answered {answer.status_code}: {_sentence(answer)}"
        raise kind(Problem(reason=reason, message=message))

    def _unreachable(self, error: httpx.HTTPError) -> UnreachableError:
        hint = "look at `shoal describe device NAME`; another address is given with --url"
        if _is_local(self._url):
            hint = (
                "it serves to its own machine alone: run this there, or start its agent with "
                "--serve HOST:PORT"
            )
        message = f"nothing answers at {self._url} ({errors.why(error)})"
        return UnreachableError(Problem(reason=Reason.UNREACHABLE, message=message, hint=hint))


def _sentence(answer: httpx.Response) -> str:
    try:
        said = answer.json()["error"]
    except (ValueError, KeyError, TypeError):
        return "without an explanation"
    return str(said)


def _quoted(model: str) -> str:
    return urllib.parse.quote(model, safe="")


def _is_local(url: str) -> bool:
    if url.startswith("unix:"):
        return True
    host = urllib.parse.urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
