import math

import pytest

from shoal.resources import golden
from shoal.resources.gate import Gate


@pytest.mark.parametrize(("max_drop", "needed"), [(0.02, 298), (0.01, 600), (0.05, 118)])
def test_the_worked_examples_of_the_formula(max_drop: float, needed: int) -> None:
    assert golden.inputs_needed(max_drop, 0.05) == needed


@pytest.mark.parametrize("max_drop", [0.02, 0.3])
def test_the_number_is_the_least_whose_evidence_reaches_the_level(max_drop: float) -> None:
    n = golden.inputs_needed(max_drop, 0.05)
    assert n is not None

    def evidence(inputs: int) -> float:
        bets = [0.95 / (1 - max_drop) * math.exp(-k / 4) for k in range(24)]
        return sum((1 + bet * max_drop) ** inputs for bet in bets) / 24

    assert evidence(n) >= 20 > evidence(n - 1)


def test_a_loss_of_nothing_can_never_be_proven() -> None:
    assert golden.inputs_needed(0, 0.05) is None
    assert golden.inputs_needed(1e-7, 0.05) is None
    assert golden.inputs_needed(1, 0.05) == 1


def test_a_golden_set_that_is_too_small_is_warned_about_with_the_number() -> None:
    gate = Gate.model_validate({"metric": "accuracy", "maxDrop": 0.02})
    (warning,) = golden.warnings([gate], 297)
    assert "298" in warning
    assert list(golden.warnings([gate], 298)) == []
    latency = Gate.model_validate({"metric": "latency.p95", "maxRatio": 1.5})
    assert list(golden.warnings([latency], 0)) == []
