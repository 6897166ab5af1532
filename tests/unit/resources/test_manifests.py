import pytest

from shoal.resources.errors import ManifestError
from shoal.resources.parsing import parse
from tests.unit.resources.documents import DEPLOYMENT, DEVICE, MODEL, PROFILE, refused, with_field


def test_a_model_spells_out_every_default_of_the_contract() -> None:
    assert parse(MODEL).spec == {
        "source": "teacher.onnx",
        "assets": [],
        "quality": {"metric": "top1", "maxDrop": 0.01, "minScore": None, "floor": "measured"},
        "data": {"calibration": "c.npz", "evaluation": "e.npz", "train": None, "golden": 400},
        "compression": {
            "methods": ["quantize", "prune", "distill", "split"],
            "objective": "accuracy",
            "effort": "balanced",
            "seed": 0,
        },
    }


def test_a_profile_spells_out_every_default_of_the_contract() -> None:
    assert parse(PROFILE).spec == {
        "priority": 0,
        "selector": {"matchLabels": {}, "matchExpressions": []},
        "budget": {"artifact": None, "memory": None, "latency": {"p95": None}},
        "runtime": {
            "engines": ["onnxruntime"],
            "providers": ["CPUExecutionProvider"],
            "threads": 1,
            "precisions": ["int8", "fp32"],
        },
    }


def test_a_deployment_spells_out_every_default_of_the_contract() -> None:
    spec = parse(DEPLOYMENT).spec
    wave = {"soak": "30s", "maxSoak": "5m", "approval": "auto", "selector": None}
    assert spec["strategy"].pop("gates") == [
        gate | {"alpha": 0.05, "onInconclusive": "hold", "min": None, "query": None, "name": None}
        for gate in (
            {
                "metric": "errorRate",
                "max": 0.01,
                "maxDrop": None,
                "maxRatio": None,
                "minSamples": 60,
            },
            {
                "metric": "latency.p95",
                "max": None,
                "maxDrop": None,
                "maxRatio": 1.5,
                "minSamples": 60,
            },
            {"metric": "restarts", "max": 0, "maxDrop": None, "maxRatio": None, "minSamples": 30},
        )
    ]
    assert spec["strategy"] == {
        "waves": [
            {"name": "canary", "size": "10%", **wave},
            {"name": "half", "size": "50%", **wave},
            {"name": "all", "size": "100%", **wave},
        ],
        "successThreshold": "90%",
        "maxFailures": "10%",
        "quorum": "50%",
        "maxUnavailable": "25%",
        "maxUnavailablePer": {},
        "shadow": "0%",
        "maxDevices": None,
        "ratePerMinute": None,
        "rateRamp": None,
        "deviceTimeout": "10m",
        "window": None,
        "verdictsPer": [],
        "onFailure": {"action": "rollback", "scope": "deployment"},
        "progressDeadline": "10m",
        "onDeadline": "hold",
    }


def test_the_spelt_out_form_parses_to_itself() -> None:
    for document in (MODEL, PROFILE, DEPLOYMENT, DEVICE):
        once = parse(document)
        assert parse({**document, "spec": once.spec}).spec == once.spec


def test_a_floor_of_ones_own_replaces_the_default_floor() -> None:
    quality = parse(with_field(MODEL, "spec.quality.minScore", 0.9)).spec["quality"]
    assert (quality["minScore"], quality["maxDrop"]) == (0.9, None)
    both = with_field(MODEL, "spec.quality", {"minScore": 0.9, "maxDrop": 0.02})
    assert parse(both).spec["quality"]["maxDrop"] == 0.02


@pytest.mark.parametrize(
    ("path", "near"),
    [
        ("spec.qualty", "quality"),
        ("spec.quality.maxdrop", "maxDrop"),
        ("spec.data.calibratoin", "calibration"),
        ("metadata.label", "labels"),
    ],
)
def test_an_unknown_field_is_answered_with_the_nearest(path: str, near: str) -> None:
    with pytest.raises(ManifestError) as caught:
        parse(with_field(MODEL, path, 1))
    problem = caught.value.problem
    assert (problem.reason, problem.field) == ("UnknownField", path)
    assert problem.hint == f"did you mean {near}?"


def test_a_misspelt_field_is_named_before_the_missing_one_it_stands_for() -> None:
    document = with_field(DEPLOYMENT, "spec", {"modle": "digits", "selector": {}})
    with pytest.raises(ManifestError) as caught:
        parse(document)
    assert [p.reason for p in caught.value.problems] == ["UnknownField", "Invalid"]


def test_every_problem_is_found_at_once() -> None:
    document = with_field(DEPLOYMENT, "spec.strategy.quorum", "x")
    document = with_field(document, "spec.strategy.deviceTimeout", 10)
    with pytest.raises(ManifestError) as caught:
        parse(document)
    assert {p.field for p in caught.value.problems} == {
        "spec.strategy.quorum",
        "spec.strategy.deviceTimeout",
    }


@pytest.mark.parametrize(
    ("document", "reason", "hint"),
    [
        (with_field(MODEL, "spec.quality.metric", "top_1"), "UnknownMetric", "did you mean top1?"),
        (
            with_field(DEPLOYMENT, "spec.strategy.gates", [{"metric": "acuracy", "maxDrop": 0.1}]),
            "UnknownMetric",
            "did you mean accuracy?",
        ),
        (
            with_field(DEPLOYMENT, "spec.strategy.onDeadline", "rolback"),
            "Invalid",
            "did you mean rollback?",
        ),
        ({**MODEL, "kind": "Modell"}, "UnknownKind", "did you mean Model?"),
        ({**MODEL, "kind": "model"}, "UnknownKind", "did you mean Model?"),
    ],
)
def test_a_misspelt_word_is_answered_with_the_nearest(
    document: object, reason: str, hint: str
) -> None:
    problem = refused(document)
    assert (problem.reason, problem.hint) == (reason, hint)


def test_what_shoal_wrote_may_be_applied_again() -> None:
    written = with_field(DEPLOYMENT, "status", {"revision": 3})
    for field, value in {
        "uid": "u",
        "generation": 2,
        "resourceVersion": "17",
        "creationTime": "2026-01-02T03:04:05.678Z",
    }.items():
        written = with_field(written, f"metadata.{field}", value)
    assert parse(written).spec == parse(DEPLOYMENT).spec


def test_what_is_allowed_but_seldom_meant_is_warned_about() -> None:
    (zero,) = parse(with_field(MODEL, "spec.quality.maxDrop", 0)).warnings
    assert "maxDrop 0" in zero
    gates = [{"metric": "accuracy", "maxDrop": 0}]
    (never,) = parse(with_field(DEPLOYMENT, "spec.strategy.gates", gates)).warnings
    assert "never pass" in never
    waves = [{"name": "some", "size": "50%"}]
    (rest,) = parse(with_field(DEPLOYMENT, "spec.strategy.waves", waves)).warnings
    assert "50%" in rest
