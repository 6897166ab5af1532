"""Who asks: the name that a request gives, and the entry of the audit log that it leaves.

There are no accounts yet: on loopback whoever reaches the port may do everything, and the name is
what the caller's program says it is. It tells people apart who work together; it guards nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Header

from shoal.contract.headers import USER
from shoal.controller.api import forms
from shoal.controller.store.acts import Act
from shoal.controller.store.port import Record

NOBODY = "local"  # who gives no name


def _user(
    shoal_user: Annotated[
        str | None,
        Header(alias=USER, pattern=forms.CALLER, description="Who asks."),
    ] = None,
) -> str:
    return shoal_user or NOBODY


User = Annotated[str, Depends(_user)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The address of one resource."""

    kind: str
    namespace: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Clerk:
    """Writes entries of the audit log; `now` is seconds since the epoch."""

    now: Callable[[], float]

    def act(self, user: str, verb: str, place: Place, detail: str = "") -> Act:
        """The entry that says that `user` did `verb` to `place` just now."""
        return Act(
            time_ms=round(self.now() * 1000),
            user=user,
            verb=verb,
            kind=place.kind,
            namespace=place.namespace,
            name=place.name,
            detail=detail,
        )


def place_of(record: Record) -> Place:
    """Where `record` lies."""
    return Place(kind=record.kind, namespace=record.namespace, name=record.name)


def place_in(data: dict[str, Any]) -> Place:
    """Where a resource document says that it lies."""
    metadata = data["metadata"]
    return Place(kind=data["kind"], namespace=metadata["namespace"], name=metadata["name"])
