"""The audit log: who did what, the newest first."""

from collections.abc import Iterator
from dataclasses import dataclass

from shoal.client.resources import Resource
from shoal.client.transport import Request, Transport


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """Which entries: each part that is not empty must be equal."""

    user: str = ""
    verb: str = ""
    kind: str = ""
    namespace: str = ""
    name: str = ""

    def query(self) -> dict[str, str | int]:
        """The part of the address that says so."""
        parts = {
            "user": self.user,
            "verb": self.verb,
            "kind": self.kind,
            "namespace": self.namespace,
            "name": self.name,
        }
        return {name: text for name, text in parts.items() if text}


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPage:
    """Some entries, and the token of the page of older ones."""

    items: tuple[Resource, ...]
    following: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """Whether the log is as it was written: `broken` is the oldest entry that does not follow."""

    intact: bool
    entries: int
    broken: int | None
    head: str | None


class Audit:
    """The audit log of one controller."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def page(self, wanted: AuditFilter, *, limit: int = 0, token: str | None = None) -> AuditPage:
        """One page of entries, the newest first; `limit` 0 leaves its size to the controller."""
        query = wanted.query() | {"limit": limit}
        if token:
            query["continue"] = token
        answer = self._transport.json(Request(method="GET", path="/audit", query=query))
        return AuditPage(items=tuple(answer["items"]), following=answer.get("continue"))

    def entries(self, wanted: AuditFilter) -> Iterator[Resource]:
        """Every entry, page by page."""
        token: str | None = None
        while True:
            page = self.page(wanted, token=token)
            yield from page.items
            token = page.following
            if token is None:
                return

    def proof(self) -> Proof:
        """Every entry followed from the newest to the first."""
        answer = self._transport.json(Request(method="GET", path="/audit/proof"))
        return Proof(**{name: answer[name] for name in ("intact", "entries", "broken", "head")})
