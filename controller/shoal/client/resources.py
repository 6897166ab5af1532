"""Resources of the API: list, get, create, put, apply, delete, watch.

A resource is the JSON document `{apiVersion, kind, metadata, spec, status}` as the API sends it.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from shoal.client.kinds import Kind
from shoal.client.places import Item, collection
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
    """Resources, and the version of the whole store at which they were read.

    `following` is the token of what comes after them, None at the end.
    """

    items: tuple[Resource, ...]
    version: int
    following: str | None = None


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

    def some(self, kind: Kind, scope: Scope, *, limit: int, token: str | None = None) -> Listing:
        """The first `limit` resources, or the first after `token`."""
        items: list[Resource] = []
        while True:
            page = self._page(kind, scope, limit - len(items), token)
            items += page.items
            token = page.following
            if token is None or len(items) >= limit:
                return Listing(items=tuple(items), version=page.version, following=token)

    def pages(self, kind: Kind, scope: Scope, *, limit: int = 0) -> Iterator[Listing]:
        """The same page by page, at least one; `limit` 0 leaves their size to the controller.

        The next page is asked for while the caller has the one before it.
        """
        with ThreadPoolExecutor(max_workers=1) as ahead:
            page = self._page(kind, scope, limit, None)
            while page.following is not None:
                coming = ahead.submit(self._page, kind, scope, limit, page.following)
                yield page
                page = coming.result()
            yield page

    def _page(self, kind: Kind, scope: Scope, limit: int, token: str | None) -> Listing:
        query = scope.query() | ({"limit": limit} if limit else {})
        query |= {"continue": token} if token else {}
        path = collection(kind.plural, scope.namespace)
        page = self._transport.json(Request(method="GET", path=path, query=query))
        return Listing(
            items=tuple(page["items"]),
            version=int(page["metadata"]["resourceVersion"]),
            following=page.get("continue") or None,
        )

    def get(self, kind: Kind, namespace: str, name: str) -> Resource:
        """The resource. Raises NotFoundError."""
        return self._transport.json(Request.of(_item(kind, namespace, name)))

    def create(self, kind: Kind, resource: Resource) -> Resource:
        """The resource as stored. Raises ConflictError when the name is taken."""
        path = collection(kind.plural, resource["metadata"].get("namespace", "default"))
        return self._transport.json(Request(method="POST", path=path, body=resource))

    def put(self, kind: Kind, resource: Resource) -> Resource:
        """The resource as stored, replacing what was read before.

        Raises:
            ConflictError: it changed since (metadata.resourceVersion is stale).
        """
        metadata = resource["metadata"]
        item = _item(kind, metadata.get("namespace", "default"), metadata["name"])
        return self._transport.json(Request.of(item, "PUT", body=resource))

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
        self._transport.send(Request.of(_item(kind, namespace, name), "DELETE", query=query))

    def watch(
        self, kind: Kind, scope: Scope, since: int, *, silence_s: float | None = None
    ) -> Iterator[Change]:
        """Changes after version `since`, as they happen, until the connection ends.

        Raises:
            GoneError: changes since then are no longer kept; list again.
            UnreachableError: cut off, or silent for `silence_s` (reason TimedOut).
        """
        pulses = self.pulses(kind, scope, since, silence_s=silence_s)
        yield from (change for change in pulses if change is not None)

    def pulses(
        self, kind: Kind, scope: Scope, since: int, *, silence_s: float | None
    ) -> Iterator[Change | None]:
        """The same with None whenever the controller says that it is there and has nothing new."""
        request = Request(
            method="GET",
            path=collection(kind.plural, scope.namespace),
            query={**scope.query(), "watch": 1, "resourceVersion": since},
        )
        for line in self._transport.lines(request, silence_s=silence_s):
            if not line:
                yield None
            elif line.get("object"):
                yield Change(kind=line["type"], resource=line["object"])


def version_of(resource: Resource) -> int:
    """The store-wide version of the last write of `resource`."""
    return int(resource["metadata"]["resourceVersion"])


def _item(kind: Kind, namespace: str, name: str) -> Item:
    return Item(plural=kind.plural, namespace=namespace, name=name)
