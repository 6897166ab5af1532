"""What is kept of a Model: so many revisions, and those that rollouts refer to."""

from shoal.contract.limits import REVISIONS_KEPT
from shoal.controller.domain.rollout import RolloutRecord
from shoal.controller.reconcile import deployments, revisions
from shoal.controller.reconcile.cache import Cache
from shoal.controller.reconcile.world import delete_of
from shoal.controller.store.port import Delete, Record


def surplus(cache: Cache, namespace: str, kept: list[Record]) -> list[Record]:
    """The revisions of one Model that may go, oldest first; `kept` is all of them.

    Never the newest, nor one that a Deployment is pinned to, could return to, or told a device.
    With 52 revisions of which the first is referred to: 2 and 3.
    """
    too_many = len(kept) - REVISIONS_KEPT
    if too_many <= 0:
        return []
    referred = _referred(cache, namespace, str(kept[-1].data["model"]))
    return [one for one in kept[:-1] if one.data["number"] not in referred][:too_many]


def may_go(cache: Cache, model: Record) -> bool:
    """Whether a Model is marked for deletion and no Deployment names it any more."""
    return bool(model.data["metadata"].get("deletionTime")) and not any(
        revisions.parse_ref(one.data["spec"]["model"]).name == model.name
        for one in cache.all("Deployment", model.namespace)
    )


def deletions(dropped: list[Record]) -> list[Delete]:
    """The end of `dropped`; their Variants are left to the sweep."""
    return [delete_of(one) for one in dropped]


def _referred(cache: Cache, namespace: str, model: str) -> set[int]:
    numbers: set[int] = set()
    for deployment in cache.all("Deployment", namespace):
        ref = revisions.parse_ref(deployment.data["spec"]["model"])
        if ref.name == model and ref.pinned is not None:
            numbers.add(ref.pinned)
    for stored in cache.all("Rollout", namespace):
        numbers |= _numbers(cache.value(stored, deployments.rollout_of), model)
    return numbers


def _numbers(record: RolloutRecord, model: str) -> set[int]:
    could_return_to = {
        one.content.model_revision for one in record.revisions if one.content.model == model
    }
    told = {
        one.told.model_revision for one in record.devices if one.told and one.told.model == model
    }
    return could_return_to | told
