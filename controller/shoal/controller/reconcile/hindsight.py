"""Why things are as they are, from kept decisions, and proof that these are decided so again."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from shoal.contract.problem import NotFoundError, Problem
from shoal.contract.reason import Reason
from shoal.controller.deciding import explaining, recording
from shoal.controller.domain.snapshot import Snapshot
from shoal.controller.reconcile import deployments, explanations, fleet
from shoal.controller.reconcile.fleet import Member
from shoal.controller.reconcile.journal import iso
from shoal.controller.reconcile.world import World
from shoal.controller.store.port import DecisionStore, KeptDecision, Record


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """One deployment now, the decisions that are kept of it, and the inputs of its choice."""

    snapshot: Snapshot
    kept: Sequence[KeptDecision]
    inputs: Snapshot
    frozen_by: KeptDecision | None


class Hindsight:
    """Explanations and kept decisions of one controller."""

    def __init__(self, world: World, decisions: DecisionStore, code: str) -> None:
        """`code` is the digest of the code that decides now, to tell decisions of other code."""
        self._world = world
        self._decisions = decisions
        self._code = code

    async def why_deployment(self, namespace: str, name: str) -> dict[str, Any]:
        """Why a deployment stands where it stands, in the API's form.

        Raises:
            NotFoundError: there is none.
        """
        record = self._found("Deployment", namespace, name)
        case = await self._case(self._seen(record, fleet.members(self._world.cache, namespace)))
        found = await self._world.beside(partial(explaining.deployment, case.snapshot, case.inputs))
        document = explanations.deployment(case.snapshot.deployment, found)
        return document | {
            "decision": _reference(case.kept[-1] if case.kept else None),
            "frozenBy": _reference(case.frozen_by),
        }

    async def why_device(self, namespace: str, name: str) -> dict[str, Any]:
        """Why a device runs what it runs, for each deployment that concerns it.

        Raises:
            NotFoundError: there is no such device.
        """
        self._found("Device", namespace, name)
        everyone = fleet.members(self._world.cache, namespace)
        member = next(one for one in everyone if one.name == name)
        items = []
        for deployment in self._world.cache.all("Deployment", namespace):
            snapshot = self._seen(deployment, everyone)
            if all(one.name != name for one in snapshot.devices):
                continue
            case = await self._case(snapshot)
            found = await self._world.beside(
                partial(explaining.device, snapshot, case.inputs, name)
            )
            last = next((one for one in reversed(case.kept) if _concerns(one, name)), None)
            items.append(
                explanations.device(case.snapshot.deployment, found, member)
                | {"decision": _reference(last), "frozenBy": _reference(case.frozen_by)}
            )
        return explanations.device_itself(member, self._world) | {"deployments": items}

    async def decisions(
        self, namespace: str, name: str, *, replay: bool, number: int | None = None
    ) -> Sequence[dict[str, Any]]:
        """The kept decisions of a deployment, oldest first, or the one with this number.

        They are replayed where that is asked for, which takes as long as they took to make.

        Raises:
            NotFoundError: there is no such deployment.
        """
        self._found("Deployment", namespace, name)
        every = await self._decisions.decisions(f"{namespace}/{name}")
        kept = [one for one in every if number in {None, one.number}]
        rows = [_row(one) for one in kept]
        if replay:
            for row, one in zip(rows, kept, strict=True):
                row["replay"] = await self._replayed(one)
        return rows

    def _found(self, kind: str, namespace: str, name: str) -> Record:
        record = self._world.cache.get(kind, namespace, name)
        if record is None:
            message = f"there is no {kind} {name} in namespace {namespace}"
            raise NotFoundError(Problem(reason=Reason.NOT_FOUND, message=message))
        return record

    def _seen(self, deployment: Record, everyone: list[Member]) -> Snapshot:
        return deployments.take_snapshot(self._world, deployment, everyone, self._world.now())

    async def _case(self, snapshot: Snapshot) -> _Case:
        kept = await self._decisions.decisions(snapshot.deployment)
        frozen_by, inputs = await self._world.beside(partial(_inputs, snapshot, kept))
        return _Case(snapshot=snapshot, kept=kept, inputs=inputs, frozen_by=frozen_by)

    async def _replayed(self, decision: KeptDecision) -> dict[str, Any] | None:
        """What asking the planner again gives; None where the inputs are no longer kept."""
        if decision.body is None:
            return None
        facts, body = decision.facts, decision.body
        found = await self._world.beside(partial(recording.replay, facts, body))
        # Decisions from before codes were kept have none, and were taken by another.
        same_code = facts.get("code") == self._code
        return {"same": found.same, "difference": found.difference, "sameCode": same_code}


def _inputs(
    snapshot: Snapshot, kept: Sequence[KeptDecision]
) -> tuple[KeptDecision | None, Snapshot]:
    """The oldest kept decision about the current revision, with its inputs where they are kept."""
    current = snapshot.record.current
    for one in kept:
        about = current is not None and one.facts.get("revision") == current.number
        if not about or one.body is None:
            continue
        try:
            return one, recording.snapshot_of(one.body)
        except ValueError:
            continue
    return None, snapshot


def _concerns(decision: KeptDecision, device: str) -> bool:
    facts = decision.facts
    told = any(one["device"] == device for one in facts.get("told", ()))
    return told or device in facts.get("withdrawn", ())


def _reference(decision: KeptDecision | None) -> dict[str, Any] | None:
    if decision is None:
        return None
    facts = decision.facts
    return {
        "number": decision.number,
        "time": iso(facts["at"]),
        "revision": facts["revision"],
        "reason": facts["reason"],
        "message": facts["message"],
        "snapshotDigest": facts["snapshotDigest"],
        "replayable": decision.body is not None,
    }


def _row(decision: KeptDecision) -> dict[str, Any]:
    facts = {key: one for key, one in decision.facts.items() if key != "at"}
    return {
        "number": decision.number,
        "time": iso(decision.facts["at"]),
        **facts,
        "replayable": decision.body is not None,
    }
