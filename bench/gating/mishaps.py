"""Seeded incidents: a hazard for each look, and devices that crash again and again.

A device whose first incident has come is a crash loop with a chance of 10 %; it then restarts at
three looks of ten until the end.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bench.gating.streams import Counts, Liars, Rng, liars

_HAZARD = 0.0005  # of a look: 10 % of healthy devices in 200 looks
_LOOPS, _RESTARTS = 0.1, 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Mishaps:
    """Incidents that strike updated devices `hazard_ratio` times as often as the others."""

    devices: int
    hazard_ratio: float = 1.0
    liars: Liars = Liars.NONE
    looks: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class MishapStream:
    """The look of each device's first incident (`looks` for never), and all restarts by look.

    The first `devices` are updated, twice as many are not.
    """

    devices: int
    looks: int
    first: Counts
    restarts: Counts  # (looks, 2): updated, others; of each look alone


def mishaps(setting: Mishaps, rng: Rng) -> MishapStream:
    """One rollout's incidents."""
    size = 3 * setting.devices
    hazard = np.full(size, _HAZARD)
    hazard[: setting.devices] *= setting.hazard_ratio
    first = np.minimum(rng.geometric(hazard) - 1, setting.looks)
    if setting.liars is not Liars.NONE:
        lying = liars(setting.devices, setting.liars)
        first[:lying] = rng.integers(0, setting.looks // 10, lying)
    looping = rng.random(size) < _LOOPS
    at: npt.NDArray[np.int64] = np.arange(setting.looks)[:, None]
    repeats = (at > first) & looping & (rng.random((setting.looks, size)) < _RESTARTS)
    struck = (at == first) | repeats
    ours = struck[:, : setting.devices].sum(axis=1)
    theirs = struck[:, setting.devices :].sum(axis=1)
    return MishapStream(
        devices=setting.devices,
        looks=setting.looks,
        first=first,
        restarts=np.stack([ours, theirs], axis=1),
    )
