"""Who is told of every decision of a rollout: nobody, or a recorder that keeps it."""

from typing import Protocol

from shoal.controller.deciding import recording
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

    def __init__(self, decisions: DecisionStore, version: str) -> None:
        self._decisions = decisions
        self._version = version

    async def saw(self, snapshot: Snapshot, plan: Plan) -> None:
        """See `Witness.saw`."""
        if plan.removed:
            await self._decisions.forget(snapshot.deployment)
        elif recording.decided(snapshot, plan):
            kept = recording.record(snapshot, plan, self._version)
            await self._decisions.keep(snapshot.deployment, kept.facts, kept.body)
