"""Resources as they change: list, watch, and go on after whatever cuts the watch off."""

import contextlib
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from shoal.client.errors import GoneError
from shoal.client.kinds import Kind
from shoal.client.resources import Change, Resource, Resources, Scope, version_of
from shoal.contract.problem import NotFoundError, Problem, UnreachableError
from shoal.contract.reason import Reason

# A quiet watch is checked with a fresh read this often, so that a connection that died without a
# word (a sleeping laptop, a lost route) is noticed.
_SILENCE_S = 20.0
# How long a watch waits for a controller that is away, such as while it is updated.
_PATIENCE_S = 30.0
_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 5.0

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """When to give up: `seconds` after it was made; None never."""

    seconds: float | None
    start_s: float

    @classmethod
    def after(cls, seconds: float | None) -> "Deadline":
        """The deadline `seconds` from now."""
        return cls(seconds=seconds, start_s=time.monotonic())

    def left_s(self, most_s: float) -> float:
        """Seconds left, at most `most_s`, never negative."""
        if self.seconds is None:
            return most_s
        return max(0.0, min(most_s, self.start_s + self.seconds - time.monotonic()))


def changes(resources: Resources, kind: Kind, scope: Scope, deadline: Deadline) -> Iterator[Change]:
    """Everything in `scope` as ADDED, then each change until the deadline.

    After a cut the list is read again and what became different meanwhile is told; a controller
    that goes away after the first answer is waited for a while.

    Raises:
        UnreachableError: the deadline passed (reason TimedOut), or nobody answers.
    """
    known: dict[tuple[str, str], Resource] = {}
    listing = resources.list(kind, scope)
    yield from _differences(known, listing.items)
    while left_s := deadline.left_s(_SILENCE_S):
        with contextlib.suppress(UnreachableError, GoneError):
            for change in resources.pulses(kind, scope, listing.version, silence_s=left_s):
                if change is not None:
                    _remember(known, change)
                    yield change
                if _ends_before(deadline, left_s, change):
                    break
        if left_s := deadline.left_s(_PATIENCE_S):
            listing = _patiently(lambda: resources.list(kind, scope), Deadline.after(left_s))
            yield from _differences(known, listing.items)
    raise UnreachableError(_over(kind, deadline))


def _differences(
    known: dict[tuple[str, str], Resource], items: tuple[Resource, ...]
) -> Iterator[Change]:
    now = {_key(item): item for item in items}
    for key in known.keys() - now.keys():
        yield Change(kind="DELETED", resource=known.pop(key))
    for key, item in now.items():
        before = known.get(key)
        if before is None or version_of(before) != version_of(item):
            known[key] = item
            yield Change(kind="MODIFIED" if before else "ADDED", resource=item)


def _remember(known: dict[tuple[str, str], Resource], change: Change) -> None:
    if change.kind == "DELETED":
        known.pop(_key(change.resource), None)
    else:
        known[_key(change.resource)] = change.resource


def _key(resource: Resource) -> tuple[str, str]:
    metadata = resource["metadata"]
    return metadata.get("namespace", ""), metadata["name"]


def versions(
    resources: Resources, kind: Kind, key: tuple[str, str], deadline: Deadline
) -> Iterator[Resource]:
    """The resource `key` (namespace, name) now and after each change.

    A controller that goes away after the first answer is waited for.

    Raises:
        NotFoundError: there is no such resource, or it was deleted.
        UnreachableError: the deadline passed (reason TimedOut), or nobody ever answered.
    """
    namespace, name = key
    seen = resources.get(kind, namespace, name)
    yield seen
    while left_s := deadline.left_s(_SILENCE_S):
        try:
            for change in resources.pulses(
                kind, Scope(namespace=namespace), version_of(seen), silence_s=left_s
            ):
                if change is not None and change.resource["metadata"]["name"] == name:
                    if change.kind == "DELETED":
                        raise NotFoundError(_deleted(kind, name))
                    seen = change.resource
                    yield seen
                if _ends_before(deadline, left_s, change):
                    break
        except (UnreachableError, GoneError):
            pass  # read it again below; the deadline decides how long
        if deadline.left_s(_SILENCE_S):
            fresh = _patiently(lambda: resources.get(kind, namespace, name), deadline)
            if version_of(fresh) != version_of(seen):
                seen = fresh
                yield seen
    raise UnreachableError(_expired(kind, name, deadline))


def _ends_before(deadline: Deadline, silence_s: float, change: Change | None) -> bool:
    """Whether a watch that may be silent for so long is to be ended, or begun anew for less.

    A quiet controller says every ten seconds that it is there. A watch of 15 s that waited for 15 s
    of silence would never see one, and never end.
    """
    left_s = deadline.left_s(silence_s)
    return left_s < silence_s if change is None else not left_s


def _patiently(read: Callable[[], _T], deadline: Deadline) -> _T:
    """The answer of `read`, tried again with full jitter until the deadline."""
    pause_s = _PAUSE_S
    while True:
        try:
            return read()
        except UnreachableError:
            left_s = deadline.left_s(pause_s)
            if not left_s:
                raise
            time.sleep(random.uniform(0, left_s))  # noqa: S311 - spreads load, guards nothing
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


def _deleted(kind: Kind, name: str) -> Problem:
    return Problem(
        reason=Reason.NOT_FOUND, message=f"{kind.name.lower()} {name} was deleted meanwhile"
    )


def _over(kind: Kind, deadline: Deadline) -> Problem:
    return Problem(
        reason=Reason.TIMED_OUT,
        message=f"watched {kind.plural} for {deadline.seconds:g} s, as --timeout says",
    )


def _expired(kind: Kind, name: str, deadline: Deadline) -> Problem:
    return Problem(
        reason=Reason.TIMED_OUT,
        message=f"{kind.name.lower()} {name}: not there yet after {deadline.seconds:g} s",
        hint=f"`shoal describe {kind.name.lower()} {name}` shows what it waits for",
    )
