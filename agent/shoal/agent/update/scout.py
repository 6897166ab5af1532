"""Trials: what a scout measures of variants that it does not run, while it has nothing else to do.

Their files have a store of their own, which is empty whenever no trial is under way (I5). An
install that begins, or many requests, end the trial at once; it starts anew when all is quiet.
Results are kept in memory for as long as the desired state names their trial: whatever is lost is
measured again.
"""

import asyncio
import contextlib
from collections.abc import Callable

from shoal.agent.core import events as ev
from shoal.agent.core.effects import Fetch, Probe, Survey
from shoal.agent.update.blobs import BlobStore
from shoal.agent.update.staging import Staging
from shoal.contract.assignment import Trial
from shoal.contract.reason import Reason
from shoal.contract.report import TrialResult

_TICKET = 0  # nobody else asks these for anything
SPARE = 2  # of free disk, a trial takes at most this part: half


class Scout:
    """Measures the trials that it was told of, one after the other."""

    def __init__(
        self,
        staging: Staging,
        blobs: BlobStore,
        free: Callable[[], bool],
        on_result: Callable[[], None],
    ) -> None:
        self._blobs = blobs
        self._staging = staging.beside(blobs)
        self._free = free
        self._on_result = on_result
        self._trials: tuple[Trial, ...] = ()
        self._results: dict[str, TrialResult] = {}
        self._changed = asyncio.Event()
        self._under_way: tuple[str, asyncio.Task[TrialResult]] | None = None

    @property
    def results(self) -> tuple[TrialResult, ...]:
        """What was found of the trials that are still asked for."""
        return tuple(self._results[one.key] for one in self._trials if one.key in self._results)

    def told(self, trials: tuple[Trial, ...]) -> None:
        """These are the trials from now on; all others are forgotten."""
        if trials == self._trials:
            return
        self._trials = trials
        keys = {one.key for one in trials}
        self._results = {key: one for key, one in self._results.items() if key in keys}
        self.look()

    def look(self) -> None:
        """Something changed: begin, or make way."""
        self._changed.set()
        if self._under_way is None:
            return
        key, task = self._under_way
        if not self._free() or all(one.key != key for one in self._trials):
            task.cancel()

    async def run(self) -> None:
        """Measure until cancelled."""
        self._blobs.collect(())
        while True:
            trial = self._next()
            if trial is None:
                await self._changed.wait()
                self._changed.clear()
                continue
            result = await self._measured(trial)
            if result is not None and trial in self._trials:
                self._results[trial.key] = result
                self._on_result()

    def _next(self) -> Trial | None:
        if not self._free():
            return None
        return next((one for one in self._trials if one.key not in self._results), None)

    async def _measured(self, trial: Trial) -> TrialResult | None:
        """What came of a trial; None where it had to make way."""
        task = asyncio.ensure_future(self._try(trial))
        self._under_way = (trial.key, task)
        try:
            await asyncio.wait({task})
            return None if task.cancelled() else task.result()
        finally:
            self._under_way = None
            task.cancel()
            with contextlib.suppress(OSError):
                self._blobs.collect(())

    async def _try(self, trial: Trial) -> TrialResult:
        one = trial.assignment
        name = one.deployment
        survey = Survey(deployment=name, ticket=_TICKET, artifacts=one.artifacts)
        found = await self._staging.survey(survey)
        if found.missing_bytes * SPARE > found.free_bytes:
            message = f"{found.missing_bytes} bytes are too many for a trial here"
            return TrialResult(key=trial.key, reason=Reason.DISK_FULL, message=message)
        fetch = Fetch(deployment=name, ticket=_TICKET, artifacts=found.missing, after_s=0.0)
        fetched = await self._staging.fetch(fetch)
        if isinstance(fetched, ev.FetchFailed):
            return TrialResult(key=trial.key, reason=fetched.reason, message=fetched.message)
        probe = Probe(deployment=name, ticket=_TICKET, assignment=one, active=None)
        probed = await self._staging.probe(probe)
        if isinstance(probed, ev.ProbeFailed):
            return TrialResult(
                key=trial.key, result=probed.result, reason=probed.reason, message=probed.message
            )
        return TrialResult(key=trial.key, result=probed.result)
