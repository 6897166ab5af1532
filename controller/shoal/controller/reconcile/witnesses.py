"""Who is told of every decision of a rollout: nobody, or a recorder that keeps it."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol

from shoal.controller.deciding import recording
from shoal.controller.deciding.recording import Author, Recorded
from shoal.controller.domain.plan import Plan
from shoal.controller.domain.snapshot import Snapshot
from shoal.controller.store.port import DecisionStore


class Witness(Protocol):
    """Told after each pass of a deployment whose plan was written."""

    async def saw(self, snapshot: Snapshot, plan: Plan) -> None:
        """Take note of what was decided, and from what."""


class NoWitness:
    """Keeps nothing: for fleets of which nobody asks why."""

    async def saw(self, snapshot: Snapshot, plan: Plan) -> None:
        """Do nothing."""


class Recorder:
    """Keeps every pass that decided something, with what is needed to decide it again."""

    def __init__(
        self,
        decisions: DecisionStore,
        author: Author,
        beside: Callable[[Callable[[], Recorded]], Awaitable[Recorded]],
    ) -> None:
        self._decisions = decisions
        self._author = author
        # The text of a large fleet takes a second to write, and the loop has devices to serve.
        self._beside = beside

    async def saw(self, snapshot: Snapshot, plan: Plan) -> None:
        """See `Witness.saw`."""
        if plan.removed:
            await self._decisions.forget(snapshot.deployment)
        elif recording.decided(snapshot, plan):
            kept = await self._beside(partial(recording.record, snapshot, plan, self._author))
            await self._decisions.keep(snapshot.deployment, kept.facts, kept.body)
