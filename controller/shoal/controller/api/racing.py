"""Read, change, write; again while somebody else is faster."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from shoal.contract.problem import ConflictError
from shoal.contract.reason import Reason

T = TypeVar("T")

_ATTEMPTS = 10  # compare-and-swap races with controllers that write status
_LOST = frozenset({Reason.CONFLICT, Reason.ALREADY_EXISTS})


class SettledError(ConflictError):
    """A conflict that trying again does not end."""


async def until_it_fits(once: Callable[[], Awaitable[T]]) -> T:
    """What `once` returns, run again after a lost race; it reads afresh each time.

    Raises:
        ConflictError: the last of several lost races, or one that is no race.
    """
    for _ in range(_ATTEMPTS - 1):
        try:
            return await once()
        except ConflictError as error:
            if isinstance(error, SettledError) or error.problem.reason not in _LOST:
                raise
            await asyncio.sleep(0)
    return await once()
