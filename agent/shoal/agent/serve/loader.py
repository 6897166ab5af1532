"""The one thread that loads, proves and drops models, at a lower priority than serving."""

import asyncio
import contextlib
import ctypes
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

# 5 gives way to serving on a busy core; 19 was measured to starve there and never end.
NICENESS = 5

T = TypeVar("T")


class Loader:
    """Work in order, one at a time, beside the event loop."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "loader", initializer=_give_way)

    async def run(self, work: Callable[[], T]) -> T:
        """The result of `work`, done in the loader thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def drop(self, holder: list[T]) -> None:
        """Let go of what `holder` holds alone; freeing a session takes milliseconds."""
        await self.run(lambda: _drop(holder))


def _drop(holder: list[T]) -> None:
    holder.clear()
    # What a session leaves behind stays in the allocator's arenas otherwise, and grows with swaps.
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)


def _give_way() -> None:
    # On Linux a priority belongs to a thread. One may always lower one's own.
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
