"""Seeded golden sets: distinct inputs in random order, and the same inputs counted per device."""

from dataclasses import dataclass

import numpy as np

from bench.gating.judging import ALPHA, Outcome
from bench.gating.streams import Counts, Rng
from shoal.controller.domain.evidence import Verdict
from shoal.controller.gates import golden
from shoal.controller.gates.golden import Tally

_STEP = 25  # inputs between two looks


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """A golden set on which one side alone is right on `discordance` of the inputs, plus `drop`."""

    discordance: float
    drop: float = 0.0
    size: int = 10_000


def play(setting: Inputs, rng: Rng) -> Counts:
    """Cumulative (worse, better) at every look."""
    half = setting.discordance / 2
    drawn = rng.random(setting.size)
    worse = drawn < half + setting.drop
    better = drawn > 1 - half
    counted: Counts = np.stack([worse, better], axis=1).cumsum(axis=0)[_STEP - 1 :: _STEP]
    return counted


def judge(counted: Counts, margin: float, devices: int = 1) -> Outcome:
    """The first verdict, where each of so many devices that answer alike counts its own answers."""
    for look, (worse, better) in enumerate(counted.tolist()):
        inputs = (look + 1) * _STEP
        tally = Tally(
            worse=worse * devices,
            better=better * devices,
            same=(inputs - worse - better) * devices,
            active_right=0,
        )
        if golden.fails(tally, margin, ALPHA):
            return Outcome(verdict=Verdict.FAIL, samples=inputs)
        if golden.passes(tally, margin, ALPHA):
            return Outcome(verdict=Verdict.PASS, samples=inputs)
    return Outcome(verdict=Verdict.INCONCLUSIVE, samples=len(counted) * _STEP)
