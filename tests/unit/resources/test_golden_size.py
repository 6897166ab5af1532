import math
from dataclasses import replace

import pytest

from shoal.controller.gates import golden as gates
from shoal.controller.gates.engine import ALPHA_PASS
from shoal.controller.gates.golden import Tally
from shoal.resources import golden
from shoal.resources.gate import Gate


@pytest.mark.parametrize(("max_drop", "needed"), [(0.02, 298), (0.01, 600), (0.05, 118)])
def test_the_worked_examples_of_the_formula(max_drop: float, needed: int) -> None:
    assert golden.inputs_needed(max_drop) == needed


@pytest.mark.parametrize("max_drop", [0.02, 0.1])
def test_the_number_is_the_least_whose_evidence_reaches_the_level(max_drop: float) -> None:
    n = golden.inputs_needed(max_drop)
    assert n is not None

    def evidence(inputs: int) -> float:
        bets = [0.95 / (1 - max_drop) * math.exp(-k / 4) for k in range(24)]
        return sum((1 + bet * max_drop) ** inputs for bet in bets) / 24

    assert evidence(n) >= 20 > evidence(n - 1)


def test_a_loss_of_nothing_can_never_be_proven() -> None:
    assert golden.inputs_needed(0) is None
    assert golden.inputs_needed(1e-7) is None
    assert golden.inputs_needed(1) == 50


def test_it_is_the_number_at_which_the_gate_itself_passes() -> None:
    for max_drop in (0.01, 0.02, 0.3):
        needed = golden.inputs_needed(max_drop)
        assert needed is not None
        enough = Tally(worse=0, better=0, same=needed, active_right=needed)
        assert gates.passes(enough, max_drop, ALPHA_PASS)
        assert not gates.passes(replace(enough, same=needed - 1), max_drop, ALPHA_PASS)


def test_a_golden_set_that_is_too_small_is_warned_about_with_the_number() -> None:
    gate = Gate.model_validate({"metric": "accuracy", "maxDrop": 0.02})
    (warning,) = golden.warnings([gate], 297)
    assert "298" in warning
    assert list(golden.warnings([gate], 298)) == []
    latency = Gate.model_validate({"metric": "latency.p95", "maxRatio": 1.5})
    assert list(golden.warnings([latency], 0)) == []
