"""How many revisions of a Model are kept."""

from shoal.contract.limits import REVISIONS_KEPT
from shoal.controller.domain.revisions import Content, Origin, Result, Revision
from shoal.controller.domain.rollout import RolloutRecord, record_to_json
from shoal.controller.domain.strategy import Strategy
from shoal.controller.reconcile import retention
from shoal.controller.reconcile.cache import Cache
from shoal.controller.store.port import Record
from tests.unit.reconcile.workshop import a_deployment

CLASS = "0a" * 8


def a_record(kind: str, name: str, data: dict[str, object]) -> Record:
    return Record(
        kind=kind, namespace="default", name=name, uid=name, resource_version=1, data=data
    )


def a_point(letter: str) -> dict[str, str]:
    return {"digest": f"sha256:{letter * 64}"}


def a_revision(number: int, *letters: str, model: str = "digits") -> Record:
    """A revision of `model` whose archive holds these variants."""
    classes = {CLASS: {"state": "Ready", "archive": {"points": [a_point(one) for one in letters]}}}
    data = {"model": model, "number": number, "classes": classes}
    return a_record("ModelRevision", f"{model}.{number}", data)


def a_rollout_of(model: str, *numbers: int) -> Record:
    """The record of a deployment that rolled these revisions of `model` out."""
    revisions = tuple(
        Revision(
            number=index,
            origin=Origin.MODEL,
            source=None,
            content=Content(
                generation=1, strategy=Strategy(), model=model, model_revision=number, cohorts=()
            ),
            result=Result.COMPLETE,
            reason="",
            message="",
            started_at=0.0,
        )
        for index, number in enumerate(numbers, start=1)
    )
    record = RolloutRecord(deployment=f"default/{model}", revisions=revisions)
    return a_record("Rollout", model, record_to_json(record))


def dropped(kept: list[Record], *others: Record) -> list[int]:
    cache = Cache()
    cache.replace([*kept, *others])
    return [one.data["number"] for one in retention.surplus(cache, "default", kept)]


def test_as_many_revisions_as_the_limit_are_all_kept() -> None:
    assert dropped([a_revision(i + 1) for i in range(REVISIONS_KEPT)]) == []


def test_the_oldest_beyond_the_limit_go() -> None:
    assert dropped([a_revision(i + 1) for i in range(REVISIONS_KEPT + 2)]) == [1, 2]


def test_what_a_rollout_could_return_to_stays() -> None:
    kept = [a_revision(i + 1) for i in range(REVISIONS_KEPT + 2)]
    assert dropped(kept, a_rollout_of("digits", 1)) == [2, 3]
    assert dropped(kept, a_rollout_of("digits.1", 1)) == [1, 2]


def test_what_a_deployment_is_pinned_to_stays() -> None:
    kept = [a_revision(i + 1) for i in range(REVISIONS_KEPT + 2)]
    pinned = a_record("Deployment", "fixed", a_deployment(model="digits@2").data)
    assert dropped(kept, pinned) == [1, 3]


def test_revisions_that_are_all_referred_to_are_all_kept() -> None:
    numbers = [i + 1 for i in range(REVISIONS_KEPT + 2)]
    kept = [a_revision(one) for one in numbers]
    assert dropped(kept, a_rollout_of("digits", *numbers)) == []
