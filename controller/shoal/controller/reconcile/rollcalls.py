"""The devices of a rollout by wave, in the form of the API, read from the cache when asked."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from shoal.contract.problem import NotFoundError, Problem
from shoal.contract.reason import Reason
from shoal.controller.domain.fleet import CohortId
from shoal.controller.domain.snapshot import Snapshot
from shoal.controller.planning import rollcall
from shoal.controller.planning.looking import look
from shoal.controller.planning.rollcall import Seat, WaveRoll
from shoal.controller.reconcile import deployments, fleet
from shoal.controller.reconcile.journal import iso
from shoal.controller.reconcile.world import World


class RollCalls:
    """Answers which device is in which wave of a deployment, and how it stands there."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def waves(self, namespace: str, name: str, most: int) -> list[dict[str, Any]]:
        """The waves with devices, at most `most` devices each, trouble first.

        Raises:
            NotFoundError: no such deployment.
        """
        deployment = self._world.cache.get("Deployment", namespace, name)
        if deployment is None:
            message = f"Deployment {name} does not exist in {namespace}"
            raise NotFoundError(Problem(reason=Reason.NOT_FOUND, message=message))
        everyone = fleet.members(self._world.cache, namespace)
        snapshot = deployments.take_snapshot(self._world, deployment, everyone, self._world.now())
        return await self._world.beside(partial(_waves, snapshot, most))


def _waves(snapshot: Snapshot, most: int) -> list[dict[str, Any]]:
    view = look(snapshot, snapshot.record)
    current = view.current
    titles = [wave.name for wave in current.waves] if current else []
    names = current.content.names if current else {}
    return [_roll(one, titles, names) for one in rollcall.call(view, most)]


def _roll(roll: WaveRoll, titles: list[str], names: Mapping[CohortId, str]) -> dict[str, Any]:
    return {
        "wave": roll.wave,
        "name": None if roll.wave is None else titles[roll.wave],
        "devices": roll.devices,
        "counts": {one.outcome.value: one.devices for one in roll.counts},
        "shown": [_seat(one, names) for one in roll.seats],
    }


def _seat(seat: Seat, names: Mapping[CohortId, str]) -> dict[str, Any]:
    return {
        "device": seat.device,
        "cohort": None if seat.cohort is None else names.get(seat.cohort, seat.cohort),
        "outcome": seat.outcome.value,
        "reason": seat.reason,
        "message": seat.message,
        "since": None if seat.since is None else iso(seat.since),
    }
