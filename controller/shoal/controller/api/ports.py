"""What the API stands on; `shoal.controller.app` puts it together."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from shoal.controller.reconcile.rollouts import RolloutRequest
from shoal.controller.store.blobs import Blobs
from shoal.controller.store.port import Store, TelemetryStore

__all__ = [
    "ApiPorts",
    "Foresight",
    "Hindsight",
    "Metrics",
    "RollCalls",
    "RolloutRequest",
    "Rollouts",
]


class Rollouts(Protocol):
    """Rollouts as operators see them; reconcile implements it."""

    async def request(self, request: RolloutRequest) -> None:
        """Carry out a verb, or leave it for the next pass.

        Raises:
            ConflictError: the rollout is not in a state in which this can be done.
            NotFoundError: no such deployment or revision.
        """

    async def revisions(self, deployment: str) -> Sequence[dict[str, Any]]:
        """The deployment's revisions, oldest first, in the API's form."""


class RollCalls(Protocol):
    """The devices of a rollout by wave; reconcile implements it."""

    async def waves(self, namespace: str, name: str, most: int) -> list[dict[str, Any]]:
        """The waves with devices, at most `most` devices each, in the API's form.

        Raises:
            NotFoundError: no such deployment.
        """


class Foresight(Protocol):
    """What would happen; reconcile implements it."""

    async def plan(self, resources: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """What would become of every deployment that these resources touch, in the API's form."""


class Hindsight(Protocol):
    """Why things are as they are; reconcile implements it."""

    async def why_deployment(self, namespace: str, name: str) -> dict[str, Any]:
        """A deployment explained, in the API's form.

        Raises:
            NotFoundError: no such deployment.
        """

    async def why_device(self, namespace: str, name: str) -> dict[str, Any]:
        """A device explained, in the API's form.

        Raises:
            NotFoundError: no such device.
        """

    async def decisions(
        self, namespace: str, name: str, *, replay: bool, number: int | None = None
    ) -> Sequence[dict[str, Any]]:
        """The kept decisions of a deployment, oldest first, decided again with `replay`.

        With `number` that one alone, or none.

        Raises:
            NotFoundError: no such deployment.
        """


class Metrics(Protocol):
    """What the controller tells Prometheus; metering implements it."""

    async def text(self) -> bytes:
        """All metrics in Prometheus' text format, version 0.0.4."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiPorts:
    """Ports of one controller; `now` is seconds since the epoch.

    `stopping` is set when the controller ends, so that endless answers end too. `loopback_only`
    says that the API listens where only this machine reaches it. `root_path` is the path under
    which a proxy serves it, such as `/shoal`, or empty.
    """

    store: Store
    telemetry: TelemetryStore
    blobs: Blobs
    rollouts: Rollouts
    roll_calls: RollCalls
    foresight: Foresight
    hindsight: Hindsight
    metrics: Metrics
    now: Callable[[], float]
    loopback_only: bool = True
    root_path: str = ""
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
