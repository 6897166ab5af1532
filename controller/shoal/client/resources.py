"""Resources of the API: list, get, create, put, apply, delete, watch.

A resource is the JSON document `{apiVersion, kind, metadata, spec, status}` as the API sends it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from shoal.client.kinds import Kind
from shoal.client.transport import Request, Transport

Resource = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Which resources: of one namespace or of all (None), fitting both selectors.

    `selector` speaks of labels, `fields` of anything else: `status.conditions[Ready].status=True`.
    """

    namespace: str | None = None
    selector: str | None = None
    fields: str | None = None

    def query(self) -> dict[str, str | int]:
        """The part of a list's or watch's address that says so."""
        parts = {"labelSelector": self.selector, "fieldSelector": self.fields}
        return {name: text for name, text in parts.items() if text}


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Resources, and the version of the whole store at which they were read."""

    items: tuple[Resource, ...]
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One line of a watch: `kind` is ADDED, MODIFIED or DELETED."""

    kind: str
    resource: Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What apply did: `result` is created, configured or unchanged."""

    result: str
    resource: Resource
    warnings: tuple[str, ...]


class Resources:
    """The resources of one controller."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, kind: Kind, scope: Scope) -> Listing:
        """All resources of `kind` in `scope`, page by page."""
        pages = list(self.pages(kind, scope))
        items = tuple(item for page in pages for item in page.items)
        return Listing(items=items, version=pages[-1].version)

    def pages(self, kind: Kind, scope: Scope, *, limit: int = 0) -> Iterator[Listing]:
        """The same page by page, at least one; `limit` 0 leaves their size to the controller."""
        query = scope.query() | ({"limit": limit} if limit else {})
        token: str | None = None
        while True:
            asked = query | ({"continue": token} if token else {})
            path = _collection(kind, scope.namespace)
            page = self._transport.json(Request(method="GET", path=path, query=asked))
            version = int(page["metadata"]["resourceVersion"])
            yield Listing(items=tuple(page["items"]), version=version)
            token = page.get("continue")
            if not token:
                return

    def get(self, kind: Kind, namespace: str, name: str) -> Resource:
        """The resource. Raises NotFoundError."""
        return self._transport.json(Request(method="GET", path=_item(kind, namespace, name)))

    def create(self, kind: Kind, resource: Resource) -> Resource:
        """The resource as stored. Raises ConflictError when the name is taken."""
        path = _collection(kind, resource["metadata"].get("namespace", "default"))
        return self._transport.json(Request(method="POST", path=path, body=resource))

    def put(self, kind: Kind, resource: Resource) -> Resource:
        """The resource as stored, replacing what was read before.

        Raises:
            ConflictError: it changed since (metadata.resourceVersion is stale).
        """
        metadata = resource["metadata"]
        path = _item(kind, metadata.get("namespace", "default"), metadata["name"])
        return self._transport.json(Request(method="PUT", path=path, body=resource))

    def apply(self, resource: Resource, *, dry_run: bool = False, force: bool = False) -> Applied:
        """Makes the store say what `resource` says; twice is the same as once.

        Raises:
            ConflictError: somebody else applied another value of a field (unless `force`).
        """
        query = {"dryRun": int(dry_run)} | ({"force": 1} if force else {})
        request = Request(method="POST", path="/apply", query=query, body=resource)
        answer = self._transport.json(request)
        return Applied(
            result=answer["result"],
            resource=answer["object"],
            warnings=tuple(answer.get("warnings", ())),
        )

    def delete(self, kind: Kind, namespace: str, name: str, *, cascade: bool = False) -> None:
        """Deletes the resource and, with `cascade`, everything that uses it.

        Raises:
            NotFoundError: there is none.
            ConflictError: it is in use.
        """
        query = {"cascade": 1} if cascade else {}
        path = _item(kind, namespace, name)
        self._transport.send(Request(method="DELETE", path=path, query=query))

    def watch(
        self, kind: Kind, scope: Scope, since: int, *, silence_s: float | None = None
    ) -> Iterator[Change]:
        """Changes after version `since`, as they happen, until the connection ends.

        Raises:
            GoneError: changes since then are no longer kept; list again.
            UnreachableError: cut off, or silent for `silence_s` (reason TimedOut).
        """
        request = Request(
            method="GET",
            path=_collection(kind, scope.namespace),
            query={**scope.query(), "watch": 1, "resourceVersion": since},
        )
        for line in self._transport.lines(request, silence_s=silence_s):
            if line.get("object"):
                yield Change(kind=line["type"], resource=line["object"])


def version_of(resource: Resource) -> int:
    """The store-wide version of the last write of `resource`."""
    return int(resource["metadata"]["resourceVersion"])


def _collection(kind: Kind, namespace: str | None) -> str:
    if namespace is None:
        return f"/{kind.plural}"
    return f"/namespaces/{quote(namespace, safe='')}/{kind.plural}"


def _item(kind: Kind, namespace: str, name: str) -> str:
    return f"{_collection(kind, namespace)}/{quote(name, safe='')}"
