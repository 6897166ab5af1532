"""What a search depends on, and how much of each thing it may do: pure, for a test to read."""

from dataclasses import dataclass
from typing import Final

from shoal.compressor.evaluate.environment import Machine
from shoal.compressor.passes.graph import Clean, Step
from shoal.compressor.passes.protocol import Effort

# Cleaning as far as it goes; where that breaks parity, less.
CLEANINGS: Final = (Clean(), Clean(steps=(Step.OPSET, Step.SLIM)), Clean(steps=()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What plans depend on. `machine` is the one that variants are for."""

    machine: Machine
    effort: Effort
    classifies: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """How much narrowing an effort pays for.

    `training_s` are seconds of a reference core, counted and never timed, so that the same inputs
    meet the same end. `steps` is the usual length of one training and `least_steps` the shortest
    worth having; ratios are looked for in steps of `grain`.
    """

    training_s: float
    steps: int
    least_steps: int
    grain: float


ALLOWANCES: Final = {
    Effort.QUICK: Allowance(training_s=5.0, steps=200, least_steps=100, grain=1 / 8),
    Effort.BALANCED: Allowance(training_s=20.0, steps=400, least_steps=160, grain=1 / 16),
    Effort.THOROUGH: Allowance(training_s=360.0, steps=1_600, least_steps=320, grain=1 / 32),
}
LEAST_NETS: Final = 3  # where not even so many short trainings are paid for, there are none
