"""Freezing a choice: from archives to the ordered digests of each cohort."""

from collections.abc import Collection
from dataclasses import dataclass

from shoal.contract.digest import Digest
from shoal.contract.limits import COHORTS_PER_REVISION
from shoal.contract.profile import ProfileClass
from shoal.contract.reason import Reason
from shoal.controller.domain.archive import ArchiveState, ClassArchive, ModelView
from shoal.controller.domain.fleet import CohortId, CohortKey
from shoal.controller.domain.revisions import CohortContent, Content
from shoal.controller.domain.snapshot import Snapshot
from shoal.controller.planning import naming

FALLS = 2  # steps that a cohort may fall within one revision


@dataclass(frozen=True, slots=True, kw_only=True)
class NotYet:
    """A revision cannot start, and what it waits for."""

    reason: Reason
    message: str


def content_of(snapshot: Snapshot, model: ModelView) -> Content | NotYet:
    """The content of a new revision, once the search of every class that can be reached settled.

    Cohorts of lost devices join when their search is done and the devices are back.
    """
    found = keys(snapshot)
    waiting = _waiting_for(snapshot, model) or _too_many(len(found))
    if waiting is not None:
        return waiting
    cohorts = []
    for key in found:
        archive = model.archive(key.profile_class)
        if archive is not None and archive.settled:
            cohorts.append(choose(key, archive, model, snapshot.record.set_aside))
    return Content(
        generation=snapshot.generation,
        strategy=snapshot.strategy,
        model=snapshot.model,
        model_revision=model.number,
        cohorts=tuple(cohorts),
    )


def choose(
    key: CohortKey,
    archive: ClassArchive,
    model: ModelView,
    set_aside: Collection[tuple[CohortId, Digest]],
) -> CohortContent:
    """The frozen list of one cohort: the choice, and the two it may fall to."""
    bad = {digest for cohort, digest in set_aside if cohort == key.id}
    order = archive.ranked(key.budget, model.objective, bad)
    variants = tuple(one.digest for one in order)[: FALLS + 1]
    misses = archive.nearest(key.budget)
    return CohortContent(
        cohort=key.id,
        profile=key.profile,
        profile_class=key.profile_class,
        budget=key.budget,
        variants=variants,
        misses=() if variants else misses,
        reason="" if variants else _why_none(archive, bad_ones=len(bad)),
        labels=key.labels,
    )


def keys(snapshot: Snapshot) -> tuple[CohortKey, ...]:
    """The distinct cohorts of the selected devices; where profiles share one, the first by name."""
    found: dict[CohortKey, CohortKey] = {}
    for device in snapshot.devices:
        if device.selected and device.cohort is not None:
            known = found.setdefault(device.cohort, device.cohort)
            found[known] = min(known, device.cohort, found[known], key=lambda one: one.profile)
    return tuple(sorted(found.values(), key=lambda one: (one.profile, one.labels, one.id)))


def _waiting_for(snapshot: Snapshot, model: ModelView) -> NotYet | None:
    selected = [one for one in snapshot.devices if one.selected]
    within = [one.cohort for one in selected if one.cohort is not None and not one.lost]
    if not within:
        message = (
            f"none of the {len(selected)} selected devices is reachable and has told its hardware"
            if selected
            else "the selector matches no device"
        )
        return NotYet(reason=Reason.NO_DEVICES, message=message)
    classes = sorted({one.profile_class for one in within})
    open_ones = [
        one for one in classes if (archive := model.archive(one)) is None or not archive.settled
    ]
    scouted = [one for one in open_ones if _scouting(model, one)]
    if scouted and len(scouted) == len(open_ones):
        return NotYet(
            reason=Reason.MODEL_NOT_READY,
            message=f"scouts measure variants of model revision {model.number} for "
            f"{len(scouted)} of {naming.counted(len(classes), 'profile class')}",
        )
    if open_ones:
        return NotYet(
            reason=Reason.MODEL_NOT_READY,
            message=f"model revision {model.number} is still being searched for "
            f"{len(open_ones)} of {naming.counted(len(classes), 'profile class')}",
        )
    return None


def _scouting(model: ModelView, profile_class: ProfileClass) -> bool:
    archive = model.archive(profile_class)
    return archive is not None and archive.scouting


def _too_many(cohorts: int) -> NotYet | None:
    """A label with a value of its own on every device would make canaries of all of them."""
    if cohorts <= COHORTS_PER_REVISION:
        return None
    return NotYet(
        reason=Reason.TOO_MANY_COHORTS,
        message=f"profile classes, budgets and the labels of verdictsPer make {cohorts} cohorts,"
        f" {COHORTS_PER_REVISION} are allowed",
    )


def _why_none(archive: ClassArchive, *, bad_ones: int) -> str:
    if archive.state is ArchiveState.FAILED:
        return f"the search failed: {archive.message}"
    if bad_ones:
        return f"no variant meets floor and budget; {bad_ones} are in quarantine"
    return "no variant meets floor and budget"
