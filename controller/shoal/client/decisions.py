"""What would happen, why things are as they are, and the decisions that led there."""

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote

from shoal.client.resources import Resource
from shoal.client.transport import Request, Transport


class Decisions:
    """Plans and explanations of one controller."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def plan(self, resources: Sequence[Resource], *, force: bool = False) -> dict[str, Any]:
        """What applying `resources` would do, deployment by deployment and device by device.

        Raises:
            InvalidError: a resource is wrong.
            ConflictError: somebody else applied another value of a field (unless `force`).
        """
        body = {"items": list(resources)} | ({"force": True} if force else {})
        return self._transport.json(Request(method="POST", path="/plan", body=body))

    def why_deployment(self, namespace: str, name: str) -> dict[str, Any]:
        """Why a deployment stands where it stands.

        Raises:
            NotFoundError: there is none.
        """
        path = f"{_place(namespace, 'deployments', name)}/why"
        return self._transport.json(Request(method="GET", path=path))

    def why_device(self, namespace: str, name: str) -> dict[str, Any]:
        """Why a device runs what it runs.

        Raises:
            NotFoundError: there is none.
        """
        path = f"{_place(namespace, 'devices', name)}/why"
        return self._transport.json(Request(method="GET", path=path))

    def kept(self, namespace: str, deployment: str) -> list[dict[str, Any]]:
        """The kept decisions of a deployment, oldest first."""
        path = f"{_place(namespace, 'deployments', deployment)}/decisions"
        items: list[dict[str, Any]] = self._transport.json(Request(method="GET", path=path))[
            "items"
        ]
        return items

    def replayed(self, namespace: str, deployment: str) -> Iterator[dict[str, Any]]:
        """The kept decisions, each decided again by the controller while it is waited for.

        One by one: over a large fleet a single one takes seconds.
        """
        path = f"{_place(namespace, 'deployments', deployment)}/decisions"
        for one in self.kept(namespace, deployment):
            if not one["replayable"]:
                yield {**one, "replay": None}
                continue
            query = {"replay": 1, "number": one["number"]}
            request = Request(method="GET", path=path, query=query)
            # A decision that newer ones took the place of meanwhile is passed over.
            yield from self._transport.json(request)["items"]


def _place(namespace: str, plural: str, name: str) -> str:
    return f"/namespaces/{quote(namespace, safe='')}/{plural}/{quote(name, safe='')}"
