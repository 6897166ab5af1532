"""`plan`, `diff` and `why`, as people and scripts see them."""

from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.conftest import Shoal
from tests.unit.client.api_server import ApiServer

FIRST = "sha256:" + "ab12" * 16
SECOND = "sha256:" + "cd34" * 16
MANIFEST = """
apiVersion: shoal/v1
kind: Deployment
metadata: {name: digits}
spec: {model: digits, selector: {matchLabels: {app: reader}}}
"""


@pytest.fixture
def manifest(tmp_path: Path) -> str:
    path = tmp_path / "deployment.yaml"
    path.write_text(MANIFEST)
    return str(path)


def a_device(name: str, **changes: Any) -> dict[str, Any]:
    return {
        "device": name,
        "profile": "small",
        "cohort": "small",
        "change": "changes",
        "current": SECOND,
        "variant": FIRST,
        "mayFallTo": [SECOND],
        "bytesToMove": 65_536,
        "bytesByVariant": {FIRST: 65_536, SECOND: 0},
        "wave": "canary",
        "afterSeconds": 0.0,
        "reason": "",
        "message": "",
        **changes,
    }


def a_plan(**changes: Any) -> dict[str, Any]:
    unfit: dict[str, Any] = {
        "change": "nothing",
        "variant": None,
        "mayFallTo": [],
        "bytesToMove": 0,
        "wave": None,
    }
    miss = "artifact is 80 B at best, the limit is 10 B"
    cohort = {"profile": "small", "profileClass": "f00d", "devices": 1}
    return {
        "deployment": "default/digits",
        "starts": True,
        "revision": 3,
        "modelRevision": 2,
        "result": "active",
        "reason": "",
        "message": "",
        "waves": ["canary", "all"],
        "cohorts": [
            {
                **cohort,
                "name": "small",
                "variant": FIRST,
                "mayFallTo": [SECOND],
                "noFeasibleVariant": None,
            },
            {
                **cohort,
                "name": "tiny",
                "variant": None,
                "mayFallTo": [],
                "noFeasibleVariant": {"reason": "", "message": miss, "nearest": []},
            },
        ],
        "devices": [
            a_device("cam-0", change="keeps", bytesToMove=0, wave=None),
            a_device("cam-1"),
            a_device("cam-2", **unfit, reason="NoFeasibleVariant", message=miss),
        ],
        "bytesToMove": 65_536,
        "starved": [{"by": "quorum", "reason": "QuorumMissing", "message": "1 of 3 is reachable"}],
        "rehearsal": {"end": "stands", "seconds": 30.0, "waits": []},
        "follows": None,
        **changes,
    }


def test_a_plan_is_told_with_its_cohorts_its_obstacles_and_each_device(
    api: ApiServer, shoal: Shoal, manifest: str
) -> None:
    api.plans = [a_plan()]
    ran = shoal("plan", "-f", manifest)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines() == [
        "default/digits: revision 3 would start, 3 devices, 64 KiB to move",
        "  cohort small: 1 device, variant ab12ab12ab12, may fall to cd34cd34cd34",
        "  cohort tiny: 1 device, no feasible variant: artifact is 80 B at best, the limit is 10 B",
        "  starved by quorum [QuorumMissing]: 1 of 3 is reachable",
        "  it stands after 30 s, even where every device does well",
        "DEVICE  CHANGE   WAVE    VARIANT       MOVES   WHY NOT",
        "cam-1   changes  canary  ab12ab12ab12  64 KiB  -",
        "cam-2   nothing  -       -             0 B     [NoFeasibleVariant] artifact is …",
        "cam-0   keeps    -       ab12ab12ab12  0 B     -",
    ]
    assert not api.resources


def test_a_plan_as_json_is_the_controllers_answer(
    api: ApiServer, shoal: Shoal, manifest: str
) -> None:
    api.plans = [a_plan()]
    ran = shoal("plan", "-f", manifest, "-o", "json")
    assert ran.json["items"] == [a_plan()]
    assert ran.json["resources"][0]["result"] == "created"
    assert shoal("plan", "-f", manifest, "-o", "name").out == "device/cam-1\n"
    assert "MAY FALL TO" in shoal("plan", "-f", manifest, "-o", "wide").out


def test_a_diff_shows_fields_and_devices_and_exits_with_1(
    api: ApiServer, shoal: Shoal, manifest: str
) -> None:
    api.plans = [a_plan()]
    api.differences = [{"field": "spec.strategy.quorum", "from": "50%", "to": "20%"}]
    ran = shoal("diff", "-f", manifest)
    assert ran.code == 1
    assert ran.out.splitlines() == [
        "deployment/digits created",
        "  ~ spec.strategy.quorum: 50% -> 20%",
        "affects 1 device: cam-1 (changes)",
    ]
    document = shoal("diff", "-f", manifest, "-o", "json").json
    assert document["items"][0]["changes"] == api.differences
    assert document["devices"] == [
        {
            "deployment": "default/digits",
            "device": "cam-1",
            "change": "changes",
            "current": SECOND,
            "variant": FIRST,
        }
    ]


def test_who_follows_a_model_whose_search_comes_first_is_told(
    api: ApiServer, shoal: Shoal, manifest: str
) -> None:
    coming = {"model": "digits", "modelRevision": 3, "devices": 5}
    api.plans = [a_plan(starts=False, devices=[], starved=[], rehearsal=None, follows=coming)]
    api.differences = [{"field": "spec.source", "from": FIRST, "to": SECOND}]
    said = "5 devices follow digits@3: the variants come from a search that ends first"
    assert shoal("diff", "-f", manifest).out.splitlines()[-2:] == ["affects 0 devices", said]
    assert f"  {said}" in shoal("plan", "-f", manifest).out.splitlines()
    document = shoal("diff", "-f", manifest, "-o", "json").json
    assert document["follows"] == [{"deployment": "default/digits", **coming}]


def test_a_diff_of_what_is_there_says_nothing_and_exits_with_0(
    api: ApiServer, shoal: Shoal, manifest: str
) -> None:
    shoal("apply", "-f", manifest)
    api.plans = [a_plan()]
    ran = shoal("diff", "-f", manifest)
    assert (ran.code, ran.out) == (0, "")
    assert shoal("diff", "-f", manifest, "-o", "json").json["devices"] == []


STATE = {
    "state": "held",
    "reason": "GateFailed",
    "what": "Shoal paused the rollout",
    "because": "cohort small: accuracy",
    "waitsFor": "rollout promote",
}
REFERENCE = {
    "number": 7,
    "time": "2026-01-02T03:04:05.678Z",
    "revision": 3,
    "reason": "GateFailed",
    "message": "",
    "snapshotDigest": FIRST,
    "replayable": True,
}
VARIANT = {
    "digest": SECOND,
    "fate": "ruledOut",
    "why": "artifact is 300 B, the limit is 100 B",
    "bytes": 300,
    "score": 0.98,
    "latencyP95Ms": 1.5,
    "peakMemoryBytes": 1_000,
}
COHORT = {
    "name": "small",
    "profile": "small",
    "devices": 3,
    "wave": "canary",
    "variant": FIRST,
    "why": "best by accuracy where 3 of 5 variants fit",
    "variants": [{**VARIANT, "digest": FIRST, "fate": "chosen"}, VARIANT],
    "gates": [],
}
DEPLOYMENT = {
    "deployment": "default/digits",
    "revision": 3,
    "givenUp": None,
    "modelRevision": 2,
    **STATE,
    "nextLook": None,
    "cohorts": [COHORT],
    "decision": REFERENCE,
    "frozenBy": None,
}
ORDINARY = {"what": "it is part of the fleet", "because": "", "waitsFor": ""}
DEVICE = {
    "device": "default/cam-1",
    "profile": "small",
    "profileClass": "f00d",
    "reach": "reachable",
    "lastSeen": None,
    **ORDINARY,
    "deployments": [
        {
            "deployment": "default/digits",
            "outcome": "Pending",
            **STATE,
            "told": None,
            "running": FIRST,
            "wave": "half",
            "place": 2,
            "cohort": COHORT,
            "decision": None,
            "frozenBy": REFERENCE,
        }
    ],
}


def test_a_deployment_is_explained(api: ApiServer, shoal: Shoal) -> None:
    api.whys["deployments", "digits"] = DEPLOYMENT
    ran = shoal("why", "digits")
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[:6] == [
        "deployment default/digits: revision 3, held [GateFailed]",
        "  Shoal paused the rollout",
        "  because cohort small: accuracy",
        "  waits for: rollout promote",
        "  cohort small: variant ab12ab12ab12: best by accuracy where 3 of 5 variants fit",
        "    cd34cd34cd34 ruledOut: artifact is 300 B, the limit is 100 B",
    ]
    assert lines[6].startswith("  last decision 7, ")
    assert shoal("why", "digits", "-o", "json").json == DEPLOYMENT
    assert "p95 1.5ms" in shoal("why", "deployment/digits", "-o", "wide").out


def test_the_way_back_is_told_from_what_was_given_up(api: ApiServer, shoal: Shoal) -> None:
    back = {**DEPLOYMENT, "revision": 5, "givenUp": 4, "state": "rolled-back"}
    api.whys["deployments", "digits"] = back
    first = shoal("why", "digits").out.splitlines()[0]
    assert first == "deployment default/digits: revision 4, rolled-back [GateFailed]"
    api.whys["deployments", "digits"] = {**back, "state": "active"}
    assert "revision 5, active" in shoal("why", "digits").out


def test_a_device_is_explained_for_each_deployment(api: ApiServer, shoal: Shoal) -> None:
    api.whys["devices", "cam-1"] = DEVICE
    out = shoal("why", "cam-1").out
    assert "device default/cam-1: reachable" in out
    assert "runs ab12ab12ab12, was told -" in out
    assert "chosen in decision 7" in out
    assert shoal("why", "device/cam-1", "-o", "name").out == "device/cam-1\n"
    api.whys["devices", "idle"] = {**DEVICE, "deployments": []}
    assert "no deployment selects it" in shoal("why", "idle").out


def test_why_asks_which_one_is_meant(api: ApiServer, shoal: Shoal) -> None:
    assert shoal("why", "nobody").code == 3
    api.whys["devices", "digits"] = DEVICE
    api.whys["deployments", "digits"] = DEPLOYMENT
    both = shoal("why", "digits", "-o", "json")
    assert (both.code, both.json["error"]["hint"]) == (
        2,
        "write device/digits or deployment/digits",
    )
    assert shoal("why", "model/digits").code == 2
