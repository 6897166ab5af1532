"""The traffic of the whole fleet, on a thread of its own: the story never delays a request."""

import asyncio
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from shoal.contract.problem import FailedError, Problem
from shoal.contract.reason import Reason
from shoal.lab.stage import Agent
from shoal.lab.traffic import DeviceTraffic, Sample, Tally


class Audience:
    """Clients of every device, from entering this context until leaving it."""

    def __init__(self, agents: Sequence[Agent], model: str, samples: Sequence[Sample]) -> None:
        # Devices start at different inputs, so that they do not all see the same one at a time.
        self._traffic = [
            DeviceTraffic(agent.status, model, [*samples[start:], *samples[:start]])
            for start, agent in enumerate(agents)
        ]
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="audience", daemon=True)
        self._main: asyncio.Task[None] | None = None
        self._failure: BaseException | None = None

    @property
    def tallies(self) -> list[Tally]:
        """What the clients saw so far, one tally a device.

        Raises:
            FailedError: the clients ended; what they saw before is not the whole.
        """
        if self._failure is not None:
            raise FailedError(
                Problem(reason=Reason.CRASHED, message=f"the clients ended: {self._failure!r}")
            ) from self._failure
        return [one.tally for one in self._traffic]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop)
        self._thread.join()
        self._loop.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._main = self._loop.create_task(self._send())
        try:
            self._loop.run_until_complete(self._main)
        except asyncio.CancelledError:
            return
        except Exception as error:  # noqa: BLE001 - told by whoever asks what the clients saw
            self._failure = error

    async def _send(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for one in self._traffic:
                tasks.create_task(one.run())

    def _stop(self) -> None:
        if self._main is not None:
            self._main.cancel()
