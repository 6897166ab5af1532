"""rollout: how it waits for the decision, what its verbs ask, what history shows."""

import json
from typing import Any

import pytest

from tests.unit.cli import fleet
from tests.unit.cli.conftest import Shoal
from tests.unit.client.api_server import ApiServer


@pytest.mark.parametrize(
    ("result", "code"),
    [
        ("complete", 0),
        ("held", 1),
        ("failed", 1),
        ("rolled-back", 1),
        ("aborted", 1),
        ("superseded", 1),
    ],
)
def test_a_decided_rollout_ends_status(
    api: ApiServer, shoal: Shoal, result: str, code: int
) -> None:
    api.store(fleet.a_deployment(result))
    ran = shoal("rollout", "status", "digits", "-o", "json")
    assert ran.code == code
    assert ran.json["status"]["result"] == result


def test_status_waits_for_the_decision(api: ApiServer, shoal: Shoal) -> None:
    api.store(fleet.a_deployment("active", message="wave canary soaks"))
    with api.once_watched(fleet.a_deployment("complete")):
        ran = shoal("rollout", "status", "digits")
    assert ran.code == 0
    first = ran.out.splitlines()[0]
    assert first == ("digits: revision 2, active, wave canary, 3/9 confirmed, wave canary soaks")
    assert "cam-7: Failed [LoadFailed]" in ran.out


def test_a_rollout_that_has_not_begun_is_waited_for(api: ApiServer, shoal: Shoal) -> None:
    waiting = fleet.a_deployment("active", wave=-1, waves=[], message="model digits does not exist")
    api.store({**waiting, "status": {**waiting["status"], "result": None}})
    ran = shoal("rollout", "status", "digits", "--timeout", "200ms")
    assert ran.code == 5
    assert "model digits does not exist" in ran.out


def test_a_spec_that_is_not_yet_observed_is_not_decided(api: ApiServer, shoal: Shoal) -> None:
    api.store(fleet.a_deployment("complete", observedGeneration=0))
    ran = shoal("rollout", "status", "deployment/digits", "--timeout", "200ms", "-o", "json")
    assert ran.code == 5
    assert ran.json["error"]["reason"] == "TimedOut"


def a_followed_model(generation: int, **newest: object) -> dict[str, Any]:
    model = fleet.a_model()
    row = {"number": 2, "digest": "sha256:" + "d" * 64, "message": "", "classes": {}, **newest}
    status = {**model["status"], "observedGeneration": 1, "revisions": [row]}
    return {**model, "metadata": {**model["metadata"], "generation": generation}, "status": status}


def test_status_waits_for_a_newer_model_that_the_deployment_follows(
    api: ApiServer, shoal: Shoal
) -> None:
    api.store(a_followed_model(1, ready=False, reason="Searching"))
    api.store(fleet.a_deployment("complete", modelRevision=1, takenModelRevision=1))
    ran = shoal("rollout", "status", "digits", "--timeout", "200ms")
    assert ran.code == 5
    assert "variants of revision 2 of model digits are being searched" in ran.out


def test_status_waits_for_a_model_that_was_just_applied(api: ApiServer, shoal: Shoal) -> None:
    api.store(a_followed_model(2, ready=True, reason="Ready"))
    api.store(fleet.a_deployment("complete", modelRevision=2, takenModelRevision=2))
    assert shoal("rollout", "status", "digits", "--timeout", "200ms").code == 5


def test_a_newer_model_that_failed_ends_status_with_its_reason(
    api: ApiServer, shoal: Shoal
) -> None:
    api.store(a_followed_model(1, ready=False, reason="NotOnnx", message="this is no model"))
    api.store(fleet.a_deployment("complete", modelRevision=1, takenModelRevision=1))
    ran = shoal("rollout", "status", "digits")
    assert ran.code == 1
    assert "revision 2 of model digits failed: this is no model [NotOnnx]" in ran.err


def test_an_undone_deployment_waits_for_no_newer_model(api: ApiServer, shoal: Shoal) -> None:
    api.store(a_followed_model(1, ready=True, reason="Ready"))
    api.store(
        fleet.a_deployment("complete", modelRevision=1, takenModelRevision=2, following=False)
    )
    assert shoal("rollout", "status", "digits").code == 0


def test_a_model_newer_than_an_undo_is_waited_for(api: ApiServer, shoal: Shoal) -> None:
    api.store(a_followed_model(1, ready=False, reason="Searching"))
    undone = fleet.a_deployment("complete", modelRevision=1, takenModelRevision=1, following=False)
    api.store(undone)
    ran = shoal("rollout", "status", "digits", "--timeout", "200ms")
    assert ran.code == 5
    assert "variants of revision 2 of model digits are being searched" in ran.out


def test_a_rollout_that_a_newer_one_replaces_ends_status(api: ApiServer, shoal: Shoal) -> None:
    api.store(fleet.a_deployment("active"))
    api.revisions = [{"number": 2, "result": "superseded"}, {"number": 3, "result": "active"}]
    with api.once_watched(fleet.a_deployment("active", revision=3)):
        ran = shoal("rollout", "status", "digits")
    assert ran.code == 1
    assert "revision 2 was superseded by revision 3" in ran.err


def test_the_rollout_before_a_newer_model_is_not_the_one_asked_about(
    api: ApiServer, shoal: Shoal
) -> None:
    api.store(fleet.a_deployment("active", modelRevision=1, takenModelRevision=1))
    api.store(a_followed_model(1, ready=True, reason="Ready"))
    api.revisions = [{"number": 2, "result": "superseded"}, {"number": 3, "result": "complete"}]
    with api.once_watched(
        fleet.a_deployment("complete", revision=3, modelRevision=2, takenModelRevision=2)
    ):
        assert shoal("rollout", "status", "digits").code == 0


def test_watched_status_is_ndjson(api: ApiServer, shoal: Shoal) -> None:
    api.store(fleet.a_deployment("active"))
    with api.once_watched(fleet.a_deployment("held")):
        ran = shoal("rollout", "status", "digits", "-w", "-o", "json")
    assert ran.code == 1
    results = [json.loads(line)["status"]["result"] for line in ran.out.splitlines()]
    assert results == ["active", "held"]


@pytest.mark.parametrize(
    ("line", "body"),
    [
        ("pause digits", {"verb": "pause", "toRevision": None, "follow": False}),
        ("resume digits --follow", {"verb": "resume", "toRevision": None, "follow": True}),
        ("abort digits", {"verb": "abort", "toRevision": None, "follow": False}),
        ("promote digits", {"verb": "promote", "toRevision": None, "follow": False}),
        (
            "promote digits --full",
            {"verb": "promote", "toRevision": None, "follow": False, "full": True},
        ),
        ("retry digits", {"verb": "retry", "toRevision": None, "follow": False}),
        ("undo digits --to-revision 1", {"verb": "undo", "toRevision": 1, "follow": False}),
    ],
)
def test_the_verbs_of_a_rollout(
    api: ApiServer, shoal: Shoal, line: str, body: dict[str, object]
) -> None:
    api.store(fleet.a_deployment())
    ran = shoal("rollout", *line.split(), "-o", "json")
    assert ran.code == 0
    assert ran.json["kind"] == "Deployment"
    assert api.bodies == [body]


def test_history_shows_what_became_of_each_revision(api: ApiServer, shoal: Shoal) -> None:
    api.revisions = [
        {
            "number": 2,
            "model": "digits",
            "modelRevision": 1,
            "origin": "undo",
            "source": 1,
            "result": "complete",
        },
        {
            "number": 1,
            "model": "digits",
            "modelRevision": 1,
            "origin": "spec",
            "result": "complete",
        },
    ]
    lines = shoal("rollout", "history", "digits").out.splitlines()
    assert lines[1].split()[:4] == ["1", "digits@1", "spec", "complete"]
    assert lines[2].split()[:6] == ["2", "digits@1", "undo", "to", "1", "complete"]
    listed = shoal("rollout", "history", "digits", "-o", "json").json
    assert [one["number"] for one in listed["items"]] == [1, 2]
