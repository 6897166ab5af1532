"""What operators decide of a device, as the table in `standing` says."""

from shoal.contract import jsonform
from shoal.controller.domain import standing
from shoal.controller.domain.standing import Approval, Standing


def test_a_device_of_an_older_record_is_an_ordinary_one() -> None:
    assert standing.of({"spec": {}}) == Standing()
    assert Standing().admitted


def test_only_approved_devices_that_are_not_drained_are_admitted() -> None:
    pending = Standing(approval=Approval.PENDING)
    assert not pending.admitted
    assert pending.approved().admitted
    assert not pending.approved().emptied().admitted
    assert pending.approved().emptied().approved().admitted
    assert not pending.approved().revoked().admitted


def test_a_drain_ends_when_somebody_lifts_the_suspension() -> None:
    kept = jsonform.to_json(Standing().emptied())
    assert standing.of({"spec": {"suspended": True}, "standing": kept}).drained
    assert standing.of({"spec": {"suspended": False}, "standing": kept}).admitted
