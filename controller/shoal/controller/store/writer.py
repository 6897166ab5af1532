"""One thread owns the only connection that writes.

Jobs that wait together share one transaction (group commit), so that the cost of reaching the disk
is shared too. Each job has a SAVEPOINT of its own: one that raises takes nobody with it.
"""

import asyncio
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine

T = TypeVar("T")

JOBS_PER_COMMIT = 64
JOBS_WAITING = 10_000  # more than this many writers in flight is a fault, not a load


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    work: Callable[[Connection], Any]
    future: asyncio.Future[Any]

    def answer(self, result: Any, error: BaseException | None) -> None:
        """On the loop's thread: hand over the outcome, unless nobody waits any more."""
        if self.future.done():
            return
        if error is None:
            self.future.set_result(result)
        else:
            self.future.set_exception(error)


class Writer:
    """Runs jobs on its thread; `committed` is called on the loop after each group that wrote."""

    def __init__(self, engine: Engine, committed: Callable[[], None]) -> None:
        self._engine = engine
        self._committed = committed
        self._jobs: queue.Queue[_Job | None] = queue.Queue(maxsize=JOBS_WAITING)
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    async def do(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a transaction; its result once that is on the disk."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._jobs.put_nowait(_Job(work=work, future=future))
        return await future

    async def close(self) -> None:
        """Finish what is queued, then end the thread. Nothing may be asked of it afterwards."""
        self._jobs.put_nowait(None)
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        with self._engine.connect() as connection:
            while (first := self._jobs.get()) is not None:
                group, last = self._gather(first)
                self._commit(connection, group)
                if last:
                    return

    def _gather(self, first: _Job) -> tuple[list[_Job], bool]:
        """Everything that waits by now, up to the limit; True when the end was asked for."""
        group = [first]
        while len(group) < JOBS_PER_COMMIT:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return group, False
            if job is None:
                return group, True
            group.append(job)
        return group, False

    def _commit(self, connection: Connection, group: list[_Job]) -> None:
        outcomes: list[tuple[_Job, Any, BaseException | None]] = []
        try:
            with connection.begin():
                outcomes.extend((job, *_attempt(connection, job.work)) for job in group)
        except Exception as error:  # noqa: BLE001 - whatever fails a commit fails all its jobs
            outcomes = [(job, None, error) for job in group]
        group[0].future.get_loop().call_soon_threadsafe(self._answer, outcomes)

    def _answer(self, outcomes: list[tuple[_Job, Any, BaseException | None]]) -> None:
        if any(error is None for _, _, error in outcomes):
            self._committed()
        for job, result, error in outcomes:
            job.answer(result, error)


def _attempt(
    connection: Connection, work: Callable[[Connection], Any]
) -> tuple[Any, BaseException | None]:
    try:
        with connection.begin_nested():
            return work(connection), None
    except Exception as error:  # noqa: BLE001 - handed to the caller as it is
        return None, error
