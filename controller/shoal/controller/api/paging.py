"""Pages of a list: in order of key, each continued after the last one's end."""

import base64
import binascii
import json
from collections.abc import Callable
from dataclasses import dataclass

from shoal.contract.limits import PAGE_ITEMS
from shoal.controller.api.bodies import invalid
from shoal.controller.store.port import Part, Record, Store

_AT_LEAST = 100  # records read at once: a selector may pass over most of them


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """Where a page begins: after (namespace, name), with the version of the first page."""

    namespace: str
    name: str
    version: int

    def to_token(self) -> str:
        """Text for `continue`."""
        text = json.dumps([self.namespace, self.name, self.version])
        return base64.urlsafe_b64encode(text.encode()).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some records, where the next ones begin, and from which version to watch all of them."""

    records: tuple[Record, ...]
    following: str | None
    version: int


def read_token(token: str) -> Cursor:
    """The cursor in `token`.

    Raises:
        InvalidError: no page ended with it.
    """
    try:
        namespace, name, version = json.loads(base64.urlsafe_b64decode(token.encode()))
        return Cursor(namespace=str(namespace), name=str(name), version=int(version))
    except (ValueError, TypeError, binascii.Error):
        raise invalid("continue", "this is not a token that a list ended with") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """A list of one kind, in one namespace or (None) in all, read page by page."""

    store: Store
    kind: str
    namespace: str | None

    async def read(self, cursor: Cursor | None, limit: int, fits: Callable[[Record], bool]) -> Page:
        """At most `limit` records after `cursor` that fit.

        The version is that of the first page: to watch from there repeats changes that later pages
        show already, and misses none.
        """
        size = min(limit, PAGE_ITEMS) if limit > 0 else PAGE_ITEMS
        place = ("", "") if cursor is None else (cursor.namespace, cursor.name)
        version = None if cursor is None else cursor.version
        found: list[Record] = []
        while len(found) <= size:
            part = Part(after=place, limit=max(size + 1 - len(found), _AT_LEAST))
            listing = await self.store.list(self.kind, self.namespace, part)
            version = listing.resource_version if version is None else version
            found += [record for record in listing.records if fits(record)]
            if len(listing.records) < part.limit:
                break
            place = (listing.records[-1].namespace, listing.records[-1].name)
        assert version is not None
        following = _after(found[size - 1], version) if len(found) > size else None
        return Page(records=tuple(found[:size]), following=following, version=version)


def _after(last: Record, version: int) -> str:
    return Cursor(namespace=last.namespace, name=last.name, version=version).to_token()
