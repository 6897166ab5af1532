"""What is left of tallies: a device's past is what served last, and what served before that."""

from shoal.contract.digest import Digest
from shoal.controller.domain import live
from shoal.controller.domain.tallies import Tally

A, B, C = (Digest(f"sha256:{letter * 64}") for letter in "abc")


def test_the_past_is_what_served_last_and_the_earlier_one_what_served_until_then() -> None:
    tallies = [(variant, Tally(requests=1, last_ms=ms)) for variant, ms in ((B, 9), (C, 1), (A, 5))]
    found = live.device_evidence("d", tallies, [])
    assert found.before is not None
    assert found.earlier is not None
    assert (found.before.variant, found.earlier.variant) == (B, A)


def test_a_device_that_only_ever_served_one_variant_has_no_earlier_one() -> None:
    found = live.device_evidence("d", [(A, Tally(requests=1))], [])
    assert found.before is not None
    assert found.earlier is None
    assert live.device_evidence("d", [], []).before is None
