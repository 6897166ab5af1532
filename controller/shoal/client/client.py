"""One controller, seen by an operator's program."""

import email.utils
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from shoal.client.audit import Audit
from shoal.client.blobs import Blobs
from shoal.client.decisions import Decisions
from shoal.client.devices import Devices
from shoal.client.resources import Resources
from shoal.client.rollouts import Rollouts
from shoal.client.transport import Request, Transport

DEFAULT_SERVER = "http://127.0.0.1:8470"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRequest:
    """A join token to be made: how long and how often it works, what its devices are labelled."""

    ttl: str = "1h"
    uses: int = 1
    labels: Mapping[str, str] = field(default_factory=dict)
    approve: str = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """How a controller answered: its version, how long it took, how far its clock is ahead.

    `skew_s` is None where the answer bears no date.
    """

    version: str
    latency_ms: float
    skew_s: float | None


class Client:
    """Talks to one controller; also a context manager that closes its connections.

    Every failure is a `shoal.contract.problem.ProblemError`: its class says what went wrong, its
    `problem` says it to people and scripts.
    """

    def __init__(self, server: str = DEFAULT_SERVER, *, timeout_s: float = 30.0) -> None:
        self._transport = Transport(server, timeout_s=timeout_s)
        self.resources = Resources(self._transport)
        self.blobs = Blobs(self._transport)
        self.rollouts = Rollouts(self._transport)
        self.decisions = Decisions(self._transport)
        self.devices = Devices(self._transport)
        self.audit = Audit(self._transport)

    @property
    def server(self) -> str:
        """The address of the controller."""
        return self._transport.server

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections."""
        self._transport.close()

    def create_token(self, wanted: TokenRequest) -> dict[str, Any]:
        """`{"token", "expires"}`: the only time the token is shown."""
        body = {
            "ttl": wanted.ttl,
            "uses": wanted.uses,
            "labels": dict(wanted.labels),
            "approve": wanted.approve,
        }
        return self._transport.json(Request(method="POST", path="/tokens", body=body))

    def telemetry(self, deployment: str | None = None, *, since_s: float = 60) -> dict[str, Any]:
        """What devices measured in the last `since_s` seconds; `deployment` is namespace/name."""
        query: dict[str, str | int] = {"sinceSeconds": f"{since_s:g}"}
        if deployment is not None:
            query["deployment"] = deployment
        return self._transport.json(Request(method="GET", path="/telemetry", query=query))

    def probe(self) -> Answered:
        """How the controller answers at all."""
        start = time.perf_counter()
        answer = self._transport.send(Request(method="GET", path="/version"))
        latency_ms = (time.perf_counter() - start) * 1000
        try:
            said = email.utils.parsedate_to_datetime(answer.headers.get("Date", ""))
            skew_s = said.timestamp() - time.time()
        except ValueError:
            skew_s = None
        version = str(answer.json().get("version"))
        return Answered(version=version, latency_ms=latency_ms, skew_s=skew_s)

    def version(self) -> dict[str, Any]:
        """What the controller says of itself."""
        return self._transport.json(Request(method="GET", path="/version"))
