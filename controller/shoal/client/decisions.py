"""What would happen, why things are as they are, and the decisions that led there."""

from collections.abc import Sequence
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

    def kept(self, namespace: str, deployment: str, *, replay: bool) -> list[dict[str, Any]]:
        """The kept decisions of a deployment, oldest first; decided again with `replay`."""
        path = f"{_place(namespace, 'deployments', deployment)}/decisions"
        request = Request(method="GET", path=path, query={"replay": int(replay)})
        items: list[dict[str, Any]] = self._transport.json(request)["items"]
        return items


def _place(namespace: str, plural: str, name: str) -> str:
    return f"/namespaces/{quote(namespace, safe='')}/{plural}/{quote(name, safe='')}"
