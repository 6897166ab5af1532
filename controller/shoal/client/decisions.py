"""What would happen, why things are as they are, and the decisions that led there."""

from collections.abc import Iterator, Sequence
from typing import Any

from shoal.client import kinds
from shoal.client.places import Item
from shoal.client.resources import Resource
from shoal.client.transport import Request, Transport

_DECISIONS = "/decisions"


PLAN_S = 180.0  # 10,000 devices take ten seconds, and more on a machine that is busy


class Decisions:
    """Plans and explanations of one controller."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def plan(
        self, resources: Sequence[Resource], *, force: bool = False, patience_s: float = PLAN_S
    ) -> dict[str, Any]:
        """What applying `resources` would do, deployment by deployment and device by device.

        Raises:
            InvalidError: a resource is wrong.
            ConflictError: somebody else applied another value of a field (unless `force`).
        """
        body = {"items": list(resources)} | ({"force": True} if force else {})
        return self._transport.json(
            Request(method="POST", path="/plan", body=body, patience_s=patience_s)
        )

    def why_deployment(self, namespace: str, name: str) -> dict[str, Any]:
        """Why a deployment stands where it stands.

        Raises:
            NotFoundError: there is none.
        """
        return self._transport.json(Request.of(_deployment(namespace, name), below="/why"))

    def why_device(self, namespace: str, name: str) -> dict[str, Any]:
        """Why a device runs what it runs.

        Raises:
            NotFoundError: there is none.
        """
        item = Item(plural=kinds.DEVICE.plural, namespace=namespace, name=name)
        return self._transport.json(Request.of(item, below="/why"))

    def kept(self, namespace: str, deployment: str) -> list[dict[str, Any]]:
        """The kept decisions of a deployment, oldest first."""
        request = Request.of(_deployment(namespace, deployment), below=_DECISIONS)
        items: list[dict[str, Any]] = self._transport.json(request)["items"]
        return items

    def replayed(self, namespace: str, deployment: str) -> Iterator[dict[str, Any]]:
        """The kept decisions, each decided again by the controller while it is waited for.

        One by one: over a large fleet a single one takes seconds.
        """
        item = _deployment(namespace, deployment)
        for one in self.kept(namespace, deployment):
            if not one["replayable"]:
                yield {**one, "replay": None}
                continue
            query = {"replay": 1, "number": one["number"]}
            request = Request.of(item, below=_DECISIONS, query=query)
            # A decision that newer ones took the place of meanwhile is passed over.
            yield from self._transport.json(request)["items"]


def _deployment(namespace: str, name: str) -> Item:
    return Item(plural=kinds.DEPLOYMENT.plural, namespace=namespace, name=name)
