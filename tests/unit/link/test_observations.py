"""What one more report makes of what is known of a device."""

import dataclasses
import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shoal.contract import digest as digests
from shoal.contract import jsonform
from shoal.contract.profile import HardwareProfile
from shoal.contract.report import DeploymentReport, DeviceReport, GoldenAnswers, Phase
from shoal.controller.link import observations

DIGEST = digests.of_bytes(b"")
ANSWERS = GoldenAnswers(golden=DIGEST, candidate=(1, 2), active=(1, 1))
HARDWARE = HardwareProfile(
    arch="x86_64",
    cpu="",
    cores=1,
    memory_bytes=1,
    disk_free_bytes=1,
    isa=(),
    engines=(),
    providers=(),
)


def a_report(boot: str, sequence: int, **deployment: Any) -> DeviceReport:
    one = DeploymentReport(
        deployment="default/d",
        generation=1,
        revision=1,
        phase=Phase.SOAKING,
        variant=DIGEST,
    )
    return DeviceReport(
        device="dev-a",
        boot_id=boot,
        sequence=sequence,
        agent_version="0",
        desired_version=1,
        hardware=HARDWARE,
        deployments=(dataclasses.replace(one, **deployment),),
    )


def after(*reports: DeviceReport) -> dict[str, Any]:
    known: dict[str, Any] | None = None
    for now_ms, report in enumerate(reports):
        known = observations.merge(known, report, now_ms) or known
    assert known is not None
    return known


def last(known: dict[str, Any]) -> DeviceReport:
    return jsonform.from_json(DeviceReport, known["report"])


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 5)), min_size=1, unique=True),
    st.lists(st.integers(0, 100), max_size=20),
)
def test_late_and_repeated_reports_change_nothing(
    sent: list[tuple[int, int]], repeats: list[int]
) -> None:
    in_order = [a_report(f"boot-{boot}", sequence) for boot, sequence in sorted(sent)]
    arrived = list(in_order)
    for repeat in repeats:
        # A copy of something sent before, at any later moment.
        at = repeat % len(in_order)
        where = arrived.index(in_order[at]) + 1 + repeat % (len(arrived))
        arrived.insert(where, in_order[at])
    assert last(after(*arrived)) == last(after(*in_order)) == in_order[-1]


def test_a_report_of_an_older_boot_is_late_whatever_its_sequence() -> None:
    known = after(a_report("one", 9), a_report("two", 1))
    assert observations.merge(known, a_report("one", 10), 5) is None
    assert known["past_boots"] == ["one"]


def test_few_past_boots_are_kept() -> None:
    known = after(*(a_report(f"boot-{i}", 1) for i in range(100)))
    assert len(known["past_boots"]) == 16


def test_golden_answers_stay_as_long_as_their_generation() -> None:
    known = after(a_report("b", 1, golden=ANSWERS), a_report("b", 2), a_report("c", 1))
    assert last(known).deployments[0].golden == ANSWERS
    newer = dataclasses.replace(ANSWERS, candidate=(3,))
    known = after(a_report("b", 1, golden=ANSWERS), a_report("b", 2, golden=newer))
    assert last(known).deployments[0].golden == newer
    known = after(a_report("b", 1, golden=ANSWERS), a_report("b", 2, generation=2))
    assert last(known).deployments[0].golden is None


def test_the_moment_of_the_newest_report_is_kept() -> None:
    assert after(a_report("b", 1), a_report("b", 2), a_report("b", 1))["last_seen_ms"] == 1


def test_the_newest_of_one_boot_wins_in_any_order() -> None:
    reports = [a_report("b", i) for i in range(1, 6)]
    random.Random(3).shuffle(reports)
    assert last(after(*reports)).sequence == 5


def test_heartbeats_are_no_silences() -> None:
    first = a_report("boot", 1)
    known = observations.merge(None, first, 0, lost_after_s=195.0)
    for place in range(2, 40):
        known = observations.merge(
            known, dataclasses.replace(first, sequence=place), place * 30_000, lost_after_s=195.0
        )
    assert known is not None
    assert all(not one["noted"] for one in known["histories"])
    late = observations.merge(
        known, dataclasses.replace(first, sequence=99), 39 * 30_000 + 200_000, lost_after_s=195.0
    )
    assert late is not None
    assert [one["kind"] for one in late["histories"][0]["noted"]] == ["silence"]


def test_a_late_first_report_of_an_earlier_boot_silences_the_present_one_not_for_long() -> None:
    known = observations.merge(None, a_report("second", 1), 0, lost_after_s=195.0)
    known = observations.merge(known, a_report("first", 1), 1_000, lost_after_s=195.0)
    assert known is not None
    beat = a_report("second", 2)
    assert observations.merge(known, beat, 30_000, lost_after_s=195.0) is None
    back = observations.merge(
        known, dataclasses.replace(beat, sequence=8), 200_000, lost_after_s=195.0
    )
    assert back is not None
    assert (back["report"]["boot_id"], back["past_boots"]) == ("second", ["first"])
