"""A gate on quality asks for the Model's own metric, as far as devices can count it."""

from typing import Any

import pytest

from shoal.contract.problem import Problem
from shoal.resources import checks, quality
from shoal.resources.deployment import Deployment
from shoal.resources.model import Model
from shoal.resources.parsing import parse
from tests.unit.resources.documents import DEPLOYMENT, MODEL, with_field

LIMITS: dict[str, float] = {"maxDrop": 0.02, "min": 0.9, "max": 0.5, "maxRatio": 1.2}
# What else these Models need: sqnr has no maxDrop.
FLOORS: dict[str, Any] = {"maxDrop": None, "minScore": 0.5}


def refusals(metric: str, limit: str) -> tuple[list[Problem], list[str]]:
    """What is refused of a gate on quality for a Model of this metric, and what is warned of."""
    gates = [{"metric": "errorRate", "max": 0.01}, {"metric": "quality", limit: LIMITS[limit]}]
    deployment = parse(with_field(DEPLOYMENT, "spec.strategy.gates", gates)).resource
    model = parse(with_field(MODEL, "spec.quality", {"metric": metric, **FLOORS})).resource
    assert isinstance(deployment, Deployment)
    assert isinstance(model, Model)
    warnings = list(checks.golden_warnings(deployment, model))
    return list(checks.gate_problems(deployment, model)), warnings


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize(
    ("metric", "limits"),
    [("top1", {"maxDrop", "min"}), ("mae", {"max", "maxRatio"}), ("mse", {"max", "maxRatio"})],
)
def test_shares_are_held_by_drop_and_errors_by_ratio(
    metric: str, limits: set[str], limit: str
) -> None:
    problems, warnings = refusals(metric, limit)
    if limit in limits:
        assert (problems, warnings) == ([], [])
        return
    (problem,) = problems
    assert problem.field == f"spec.strategy.gates[1].{limit}"
    assert metric in problem.message
    assert all(one in (problem.hint or "") for one in limits)
    assert any(problem.message in one for one in warnings)


@pytest.mark.parametrize("metric", sorted(set(quality.METRICS) - {"top1", "mae", "mse"}))
def test_what_no_device_can_count_alone_is_refused_by_name(metric: str) -> None:
    (problem,), _ = refusals(metric, "maxDrop")
    assert problem.field == "spec.strategy.gates[1].metric"
    assert metric in problem.message
    assert "agreement" in (problem.hint or "")
