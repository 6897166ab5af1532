"""What two reports in a row show to have happened between them."""

from dataclasses import replace
from typing import Any

from shoal.contract import digest, jsonform
from shoal.contract.report import DeploymentReport, Phase
from shoal.controller.domain import incidents
from shoal.controller.domain.incidents import APART_MS, History, IncidentKind, Moment

NAME = "default/digits"
VARIANT = digest.of_bytes(b"variant")


def a_report(**changes: Any) -> DeploymentReport:
    report = DeploymentReport(
        deployment=NAME,
        generation=2,
        revision=1,
        phase=Phase.CONFIRMED,
        variant=VARIANT,
        running=VARIANT,
        running_generation=2,
    )
    return replace(report, **changes)


def told(*steps: tuple[int, DeploymentReport]) -> History:
    """The history after these reports at these milliseconds."""
    histories: tuple[History, ...] = ()
    before: tuple[DeploymentReport, ...] = ()
    last = None
    for at, report in steps:
        moment = Moment(now_ms=at, silent_ms=0 if last is None else at - last)
        histories = incidents.after(histories, before, (report,), moment)
        before, last = (report,), at
    return histories[0]


def kinds(history: History) -> list[str]:
    return [one.kind for one in history.noted]


def test_a_switch_is_when_another_generation_is_first_seen_running() -> None:
    history = told(
        (1_000, a_report()),
        (2_000, a_report()),
        (3_000, a_report(generation=3, running_generation=2)),
        (4_000, a_report(generation=3, running_generation=3)),
        (5_000, a_report(generation=3, running=None, running_generation=0)),
        (6_000, a_report(generation=3, running_generation=3)),
    )
    assert (history.generation, history.switched_ms) == (3, 4_000)


def test_a_restart_is_a_growing_total_and_a_crash_loop_is_one_incident() -> None:
    history = told(
        (1_000, a_report()),
        (2_000, a_report(restarts=1)),
        (3_000, a_report(restarts=1)),
        (4_000, a_report(restarts=900)),
        (2_000 + APART_MS, a_report(restarts=901)),
    )
    restarts = [one for one in history.noted if one.kind is IncidentKind.RESTART]
    assert [one.at_ms for one in restarts] == [2_000, 2_000 + APART_MS]
    assert all(one.generation == 2 for one in restarts)


def test_totals_begin_anew_with_a_generation() -> None:
    history = told(
        (1_000, a_report(restarts=5)),
        (2_000, a_report(generation=3, running_generation=3, restarts=1)),
    )
    assert [(one.kind, one.generation) for one in history.noted] == [("restart", 2), ("restart", 3)]


def test_a_local_rollback_is_one_incident_however_often_it_is_said() -> None:
    fallen = a_report(phase=Phase.LOCAL_ROLLBACK)
    history = told((1_000, a_report()), (2_000, fallen), (3_000, fallen))
    assert kinds(history) == ["rollback"]


def test_a_silence_counts_where_devices_are_lost_after_less() -> None:
    history = told((1_000, a_report()), (61_000, a_report()), (62_000, a_report()))
    assert [one.silent_ms for one in history.noted] == [60_000]
    assert [one.kind for one in history.incidents(30.0)] == [IncidentKind.SILENCE]
    assert history.incidents(60.0) == ()


def test_histories_are_bounded_and_survive_their_stored_form() -> None:
    steps = [(i * APART_MS, a_report(restarts=i)) for i in range(50)]
    history = told(*steps)
    assert len(history.noted) <= 16
    assert history.noted[-1].at_ms == 49 * APART_MS
    stored = jsonform.to_json(history)
    assert incidents.histories_from_json([stored]) == (history,)
    assert incidents.histories_from_json(None) == ()


def test_a_deployment_that_is_gone_has_no_history() -> None:
    moment = Moment(now_ms=1)
    known = incidents.after((), (), (a_report(),), moment)
    assert incidents.after(known, (a_report(),), (), moment) == ()
