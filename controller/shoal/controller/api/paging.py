"""Pages of a list: in order of key, each continued after the last one's end."""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass

from shoal.contract.limits import PAGE_ITEMS
from shoal.controller.api.bodies import invalid
from shoal.controller.store.port import Listing, Record


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


def page(listing: Listing, records: Sequence[Record], cursor: Cursor | None, limit: int) -> Page:
    """At most `limit` of `records` after `cursor`.

    The version is that of the first page: to watch from there repeats changes that later pages
    show already, and misses none.
    """
    size = min(limit, PAGE_ITEMS) if limit > 0 else PAGE_ITEMS
    version = listing.resource_version if cursor is None else cursor.version
    if cursor is not None:
        records = [r for r in records if (r.namespace, r.name) > (cursor.namespace, cursor.name)]
    shown = tuple(records[:size])
    following = None
    if len(records) > size:
        last = shown[-1]
        following = Cursor(namespace=last.namespace, name=last.name, version=version).to_token()
    return Page(records=shown, following=following, version=version)
