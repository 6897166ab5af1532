"""Endless answers: one JSON line for each change, a blank line now and then so that a cut shows."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

from shoal.controller.api import documents
from shoal.controller.errors import GoneError
from shoal.controller.store.port import Change, Record

_SILENCE_S = 10.0


class Follower:
    """Turns the store's changes into ADDED, MODIFIED and DELETED, as one selector sees them."""

    def __init__(self, wanted: Callable[[Record], bool], matches: Callable[[Record], bool]) -> None:
        self._wanted = wanted
        self._matches = matches
        # Whether the watcher has each record in sight; absent where that is not known yet.
        self._in_sight: dict[tuple[str, str], bool] = {}

    def line(self, change: Change) -> dict[str, Any] | None:
        """What to tell of `change`, if anything."""
        record = change.record
        if not self._wanted(record):
            return None
        type_ = self._type(change)
        if type_ is None:
            return None
        return {"type": type_, "object": documents.resource(record)}

    def _type(self, change: Change) -> str | None:
        key = (change.record.namespace, change.record.name)
        before = self._in_sight.get(key, not change.created)
        after = change.type == "put" and self._matches(change.record)
        self._in_sight[key] = after
        if after:
            return "MODIFIED" if before else "ADDED"
        return "DELETED" if before else None


async def lines(
    changes: AsyncIterator[Change], follower: Follower, stopping: asyncio.Event
) -> AsyncIterator[bytes]:
    """NDJSON until the caller hangs up, the controller ends, or history is lost."""
    ended = asyncio.ensure_future(stopping.wait())
    upcoming = asyncio.ensure_future(anext(changes))
    try:
        while not stopping.is_set():
            done, _ = await asyncio.wait(
                {upcoming, ended}, timeout=_SILENCE_S, return_when=asyncio.FIRST_COMPLETED
            )
            if upcoming in done:
                line = follower.line(upcoming.result())
                if line is not None:
                    yield encode(line)
                upcoming = asyncio.ensure_future(anext(changes))
            elif not done:
                yield b"\n"
    except GoneError as error:
        # The status is sent already: the reader was too slow, and learns it in the last line.
        yield encode({"type": "ERROR", "error": error.problem.to_json()})
    finally:
        for task in (ended, upcoming):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, GoneError):
                await task


def encode(line: dict[str, Any]) -> bytes:
    """One line of NDJSON."""
    return json.dumps(line, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
