import json
from dataclasses import replace

import pytest

from shoal.contract.budget import Budget
from shoal.contract.limits import REVISIONS_KEPT
from shoal.contract.profile import ProfileClass
from shoal.controller.domain.evidence import answers_of, sheet_of
from shoal.controller.domain.fleet import CohortKey
from shoal.controller.domain.outcomes import Outcome
from shoal.controller.domain.revisions import CohortContent, Content, Origin, Result, Revision
from shoal.controller.domain.rollout import (
    CohortProgress,
    DeviceRecord,
    RolloutRecord,
    record_from_json,
    record_to_json,
)
from shoal.controller.domain.strategy import Strategy

KEY = CohortKey(profile_class=ProfileClass("0a" * 8), budget=Budget(artifact_bytes=9), profile="p")


def a_revision(number: int) -> Revision:
    content = Content(
        generation=1,
        strategy=Strategy(),
        model="digits",
        model_revision=1,
        cohorts=(a_content(KEY),),
    )
    return Revision(
        number=number,
        origin=Origin.SPEC,
        source=None,
        content=content,
        result=Result.ACTIVE,
        reason="",
        message="",
        started_at=1.5,
    )


def a_content(key: CohortKey) -> CohortContent:
    return CohortContent(
        cohort=key.id,
        profile=key.profile,
        profile_class=key.profile_class,
        budget=key.budget,
        variants=(),
    )


def test_a_record_survives_json() -> None:
    record = RolloutRecord(deployment="default/digits").with_revision(a_revision(1))
    record = replace(record, devices=(DeviceRecord(device="d", generation=3, told=None),))
    record = record.with_cohort(CohortProgress(cohort=KEY.id))
    assert record_from_json(json.loads(json.dumps(record_to_json(record)))) == record


def test_the_oldest_revisions_go() -> None:
    record = RolloutRecord(deployment="default/digits")
    for number in range(1, REVISIONS_KEPT + 3):
        record = record.with_revision(a_revision(number))
    assert len(record.revisions) == REVISIONS_KEPT
    assert record.revision(2) is None
    assert record.current is not None
    assert record.current.number == REVISIONS_KEPT + 2


def test_what_a_rollback_returns_to_is_no_oldest_revision() -> None:
    complete = replace(a_revision(1), result=Result.COMPLETE, completed_at=2.0)
    other = replace(a_revision(2).content, model_revision=2)
    record = RolloutRecord(deployment="default/digits").with_revision(complete)
    for number in range(2, REVISIONS_KEPT + 3):
        record = record.with_revision(replace(a_revision(number), content=other))
    assert [one.number for one in record.revisions][:2] == [1, 4]
    assert len(record.revisions) == REVISIONS_KEPT


def test_a_record_without_revisions_has_none_to_change() -> None:
    record = RolloutRecord(deployment="default/digits")
    assert record.current is None
    with pytest.raises(RuntimeError, match="has no revision"):
        record.with_current(result=Result.COMPLETE)


def test_members_are_found_and_replaced_by_name() -> None:
    known = DeviceRecord(device="d", generation=2, told=None)
    record = RolloutRecord(deployment="default/digits", devices=(known,))
    for step in (1, 2):
        record = record.with_cohort(CohortProgress(cohort=KEY.id, step=step))
    assert [one.step for one in record.cohorts] == [2]
    assert record.cohort(KEY.id) == record.cohorts[0]
    assert record.device("d") == known
    assert record.device("e") is None


def test_a_cohort_is_its_class_and_budget_and_not_its_profile() -> None:
    renamed = replace(KEY, profile="q")
    assert renamed == KEY
    assert renamed.id == KEY.id
    assert replace(KEY, budget=Budget()).id != KEY.id


def test_cohorts_that_share_a_profile_have_distinct_names() -> None:
    twin = replace(KEY, profile_class=ProfileClass("1b" * 8))
    other = replace(KEY, budget=Budget(), profile="other")
    content = a_revision(1).content
    content = replace(content, cohorts=tuple(a_content(one) for one in (KEY, twin, other)))
    assert content.names[other.id] == "other"
    assert content.names[KEY.id].startswith("p/0a0a0a-")
    assert content.names[twin.id].startswith("p/1b1b1b-")


def test_answers_survive_as_a_sheet() -> None:
    for answers in ((), (3,), (0, -1, 12)):
        assert answers_of(sheet_of(answers)) == answers


def test_failures_are_finished_and_confirmed_is_no_failure() -> None:
    assert {one for one in Outcome if one.failure} < {one for one in Outcome if one.finished}
    assert not Outcome.CONFIRMED.failure
