import pytest

from shoal.resources.errors import ManifestError
from shoal.resources.parsing import parse
from tests.unit.resources.documents import DEPLOYMENT, MODEL, PROFILE, refused, with_field


@pytest.mark.parametrize(
    "document",
    [
        with_field(PROFILE, "spec.runtime.providers", ["CUDAExecutionProvider"]),
        with_field(PROFILE, "spec.runtime.precisions", ["bf16"]),
    ],
)
def test_what_is_not_built_yet_is_refused_by_name(document: object) -> None:
    problem = refused(document)
    assert problem.reason == "NotBuiltYet"
    assert "not built yet" in problem.message
    assert problem.hint


@pytest.mark.parametrize("name", ["model.pkl", "model.joblib", "model.pt", "model.PTH"])
def test_a_source_that_runs_code_is_refused_with_the_safe_way(name: str) -> None:
    problem = refused(with_field(MODEL, "spec.source", name))
    assert problem.reason == "UnsafeFormat"
    assert problem.hint is not None
    assert "ONNX" in problem.hint


@pytest.mark.parametrize(
    ("document", "field"),
    [
        (with_field(DEPLOYMENT, "spec.strategy.maxUnavailable", 0), "spec.strategy.maxUnavailable"),
        (
            with_field(DEPLOYMENT, "spec.strategy.maxUnavailable", "0%"),
            "spec.strategy.maxUnavailable",
        ),
        (
            with_field(DEPLOYMENT, "spec.strategy.progressDeadline", "0s"),
            "spec.strategy.progressDeadline",
        ),
        (
            with_field(
                DEPLOYMENT,
                "spec.strategy.waves",
                [{"name": "a", "size": "50%"}, {"name": "b", "size": "50%"}],
            ),
            "spec.strategy.waves[1].size",
        ),
        (
            with_field(DEPLOYMENT, "spec.strategy.waves", [{"name": "a", "size": 0}]),
            "spec.strategy.waves[0].size",
        ),
        (
            with_field(
                DEPLOYMENT,
                "spec.strategy.waves",
                [{"name": "a", "size": 1}, {"name": "a", "size": "100%"}],
            ),
            "spec.strategy.waves[1].name",
        ),
        (
            with_field(
                DEPLOYMENT,
                "spec.strategy.waves",
                [{"name": "a", "size": "100%", "soak": "1m", "maxSoak": "30s"}],
            ),
            "spec.strategy.waves[0].maxSoak",
        ),
        (
            with_field(DEPLOYMENT, "spec.strategy.gates", [{"metric": "accuracy"}]),
            "spec.strategy.gates[0].maxDrop",
        ),
        (
            with_field(
                DEPLOYMENT,
                "spec.strategy.gates",
                [{"metric": "errorRate", "max": 0.1, "maxDrop": 0.1}],
            ),
            "spec.strategy.gates[0].maxDrop",
        ),
        (
            with_field(DEPLOYMENT, "spec.strategy.gates", [{"metric": "errorRate", "max": 2}]),
            "spec.strategy.gates[0].max",
        ),
        (with_field(PROFILE, "spec.budget.artifact", "0B"), "spec.budget.artifact"),
        (with_field(PROFILE, "spec.budget.artifact", "24kb"), "spec.budget.artifact"),
        (with_field(PROFILE, "spec.budget.latency", {"p95": "0ms"}), "spec.budget.latency.p95"),
        (
            with_field(PROFILE, "spec.selector.matchExpressions", [{"key": "a", "operator": "In"}]),
            "spec.selector.matchExpressions[0].values",
        ),
        (
            with_field(PROFILE, "spec.selector.matchLabels", {"tier": 1}),
            "spec.selector.matchLabels.tier",
        ),
        (with_field(MODEL, "spec.quality", {"maxDrop": None}), "spec.quality.maxDrop"),
        (with_field(MODEL, "spec.data.evaluation", "c.npz"), "spec.data.evaluation"),
        (with_field(MODEL, "spec.data.golden", "many"), "spec.data.golden"),
        (with_field(MODEL, "metadata.name", "Digits"), "metadata.name"),
        (with_field(DEPLOYMENT, "spec.model", "digits@0"), "spec.model"),
        ({**MODEL, "apiVersion": "shoal/v2"}, "apiVersion"),
        ({**MODEL, "apiVersion": None}, "apiVersion"),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused_at_its_field(document: object, field: str) -> None:
    problem = refused(document)
    assert (problem.reason, problem.field) == ("Invalid", field)


@pytest.mark.parametrize("document", [None, [], "text", {}, {"kind": "Model"}])
def test_what_is_no_resource_at_all_is_refused(document: object) -> None:
    with pytest.raises(ManifestError):
        parse(document)


def test_braces_in_a_value_do_not_break_its_refusal() -> None:
    assert "{x}" in refused(with_field(MODEL, "spec.quality.metric", "{x}")).message
