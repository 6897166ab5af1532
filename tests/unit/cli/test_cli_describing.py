"""describe and the tree: who promoted what, scouts, tiers, what was given up."""

from typing import Any

import pytest

from shoal.cli import descriptions, tree
from shoal.resources import kinds
from tests.unit.cli import fleet
from tests.unit.cli.conftest import Shoal


def described(resource: dict[str, Any]) -> str:
    return "\n".join(descriptions.of(resource, []))


@pytest.fixture
def deployment() -> dict[str, Any]:
    made = fleet.a_deployment("held")
    made["status"]["waves"][0]["promotedBy"] = "ada"
    made["status"]["givenUp"] = {
        "revision": 3,
        "result": "rolled-back",
        "reason": "GateFailed",
        "message": "accuracy fell",
    }
    failed = {"digest": fleet.DIGEST, "revision": 3, "reason": "GateFailed", "message": "it fell"}
    made["status"]["quarantine"] = [
        {"cohort": "small", "liftedBy": None, **failed},
        {"cohort": "large", "liftedBy": "bob", **failed},
    ]
    return made


def test_who_promoted_a_wave_is_told(deployment: dict[str, Any]) -> None:
    assert "canary: 3 devices, failed, promoted by ada  Confirmed=3" in described(deployment)
    assert any(line.endswith("3 devices  promoted by ada") for line in drawn(deployment))
    deployment["status"]["waves"][0]["promotedBy"] = None
    assert "promoted" not in described(deployment) + "".join(drawn(deployment))


def drawn(deployment: dict[str, Any]) -> list[str]:
    return list(tree.lines(deployment, [], 80))


def test_what_was_given_up_and_what_is_quarantined_is_told(deployment: dict[str, Any]) -> None:
    text = described(deployment)
    assert "given up        revision 3 (rolled-back): accuracy fell" in text
    assert "small: ab12ab12ab12 since revision 3: [GateFailed] it fell" in text
    assert "large: ab12ab12ab12 since revision 3, lifted by bob: [GateFailed] it fell" in text


def test_a_device_tells_its_tier_and_what_it_scouts() -> None:
    device = fleet.a_device()
    assert "speed tier" not in described(device)
    scouting = {"model": "digits", "revision": 2, "digest": fleet.DIGEST}
    device["status"] |= {"speedTier": 349, "scouting": [scouting]}
    device["status"]["hardware"] |= {"memory_bytes": 1024**3, "engines": [["onnxruntime", "1.2"]]}
    text = described(device)
    assert "speed tier      349" in text
    assert "Scouting\n  ab12ab12ab12 of digits@2" in text
    assert "memory          1 GiB" in text
    assert "engines         onnxruntime 1.2" in text


def test_a_variant_tells_whose_figures_it_has() -> None:
    spec = {"model": "digits", "modelRevision": 2, "recipe": {"title": "graph", "passes": []}}
    status: dict[str, Any] = {"figures": "estimate", "score_interval": [0.9, 1.0]}
    estimated = described(fleet.a_resource("Variant", "v", spec, status))
    assert "whose word      the builder's estimate of time and memory" in estimated
    assert "score interval  0.9,1" in estimated
    found = {"refusal": "", "p95_ms": 4.2, "peak_memory_bytes": 1024**2, "agreement": 1.0}
    status |= {
        "figures": "measured",
        "scouts": ["cam-3"],
        "measured": {"cam-1": found, "cam-2": {"refusal": "it crashed"}},
    }
    measured = described(fleet.a_resource("Variant", "v", spec, status))
    assert "whose word      measured on devices" in measured
    assert "scouts now      cam-3" in measured
    assert "cam-1: p95 4.2ms, memory 1 MiB, load -, agreement 1\n" in f"{measured}\n"
    assert "cam-2: it crashed" in measured


def test_the_files_of_a_model_are_told_by_short_digests() -> None:
    model = fleet.a_model()
    model["spec"]["data"] = {"calibration": fleet.DIGEST, "golden": 400}
    text = described(model)
    assert "source          ab12ab12ab12\n" in text
    assert "calibration     ab12ab12ab12\n" in text
    assert "golden          400\n" in text


@pytest.mark.parametrize("part", ["spec", "status"])
@pytest.mark.parametrize("kind", kinds.KINDS)
def test_every_explanation_fits_80_columns(shoal: Shoal, kind: str, part: str) -> None:
    out = shoal("explain", f"{kind}.{part}").out
    assert max(map(len, out.splitlines())) <= 80
