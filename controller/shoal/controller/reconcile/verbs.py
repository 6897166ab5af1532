"""What operators ask of a rollout: pure transitions of its record, under compare-and-swap."""

from dataclasses import dataclass

from shoal.contract.problem import ConflictError, NotFoundError
from shoal.controller.domain.rollout import RolloutRecord, Verb, record_to_json
from shoal.controller.planning import verbs
from shoal.controller.reconcile.deployments import read_record
from shoal.controller.reconcile.world import put_over
from shoal.controller.store.port import Record, Store

_ATTEMPTS = 20  # the reconcile loop writes the same record; each loss means it made progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One verb for one deployment; `to_revision` belongs to undo, `follow` to resume."""

    namespace: str
    name: str
    verb: Verb
    to_revision: int | None = None
    follow: bool = False


async def request(store: Store, wanted: Request, now_s: float) -> RolloutRecord:
    """Record what the operator asked for; the next pass carries it out.

    Raises:
        NotFoundError: there is no such deployment.
        InvalidError, ConflictError: the verb makes no sense now; the hint says what would.
    """
    await store.get("Deployment", wanted.namespace, wanted.name)
    for _ in range(_ATTEMPTS):
        stored = await _stored(store, wanted)
        before = read_record(stored, f"{wanted.namespace}/{wanted.name}")
        after = verbs.apply(before, wanted.verb, wanted.to_revision, wanted.follow, now_s)
        if after == before:
            return after
        place = (wanted.namespace, wanted.name)
        try:
            await store.commit([put_over(stored, "Rollout", place, record_to_json(after))])
        except ConflictError:
            continue
        return after
    raise RuntimeError(f"{wanted.name}: the rollout record changed {_ATTEMPTS} times in a row")


async def _stored(store: Store, wanted: Request) -> Record | None:
    try:
        return await store.get("Rollout", wanted.namespace, wanted.name)
    except NotFoundError:
        return None
