"""Seeded fleets whose answers resemble one another within a device.

ICC is the intra-class correlation of Donner and Klar (2000): a device's own rate is
beta-distributed around the fleet's, so that samples of one device tell less than as many samples of
many. Devices join one after another over the first looks and report Poisson numbers of samples. All
arrays are cumulative, of shape (looks, devices).
"""

import enum
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from shoal.controller.gates import engine

Counts = npt.NDArray[np.int64]
Rates = npt.NDArray[np.float64]
Rng = np.random.Generator

JOINING = 0.15  # the share of looks over which devices join


class Liars(enum.Enum):
    """What 5 % of the devices report, whatever is true."""

    NONE = "no liars"
    WORSE = "5 % report always worse"
    SUBTLE = "5 % report 8 points worse"
    BETTER = "5 % report always better"


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired:
    """Shadowed inputs: on `discordance` of them one side alone is right, by chance either.

    Both the rate of such inputs and the side that they favour differ from device to device; `drop`
    is the share of inputs that every device's candidate gets wrong beside.
    """

    devices: int
    discordance: float = 0.10
    drop: float = 0.0
    icc: float = 0.0
    liars: Liars = Liars.NONE
    looks: int = 200
    samples: int = 1000  # of a device over all looks


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedStream:
    """Inputs that only the active side got right (`b`), only the candidate (`c`), and all."""

    b: Counts
    c: Counts
    n: Counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpaired:
    """Events (wrong answers, failed requests) of devices before and after a switch of some.

    `rise` is what the switch adds to a device's own rate; twice as many devices do not switch.
    """

    devices: int
    base: float  # the fleet's rate of events
    rise: float = 0.0
    icc: float = 0.0
    liars: Liars = Liars.NONE
    looks: int = 120
    samples: int = 1000
    before: int = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """Devices of one arm: (events, samples) before the switch, and cumulative after it."""

    events_before: Counts  # (devices,)
    n_before: Counts
    events: Counts
    n: Counts


@dataclass(frozen=True, slots=True, kw_only=True)
class UnpairedStream:
    """Both arms on the same looks."""

    candidate: Arm
    baseline: Arm


def paired(setting: Paired, rng: Rng) -> PairedStream:
    """One rollout's shadow counts."""
    size = setting.devices
    rates = spread(setting.discordance, setting.icc, size, rng)
    sides = spread(0.5, setting.icc, size, rng)
    n = arrivals(setting.looks, size, setting.samples, rng)
    discordant = rng.binomial(n, rates)
    b = rng.binomial(discordant, sides)
    c = discordant - b
    b += rng.binomial(n - discordant, setting.drop / (1 - rates))
    lying = liars(size, setting.liars)
    if setting.liars is Liars.WORSE:
        b[:, :lying], c[:, :lying] = n[:, :lying], 0
    elif setting.liars is Liars.BETTER:
        b[:, :lying], c[:, :lying] = 0, n[:, :lying]
    elif setting.liars is Liars.SUBTLE:
        b[:, :lying] += rng.binomial((n - b - c)[:, :lying], 0.08)
    return PairedStream(b=b.cumsum(axis=0), c=c.cumsum(axis=0), n=n.cumsum(axis=0))


def unpaired(setting: Unpaired, rng: Rng) -> UnpairedStream:
    """One rollout's counts of events in both arms."""
    candidate = _arm(setting, setting.devices, setting.rise, rng)
    lying = liars(setting.devices, setting.liars)
    if setting.liars is Liars.WORSE:
        candidate.events[:, :lying] = candidate.n[:, :lying]
    elif setting.liars is Liars.BETTER:
        candidate.events[:, :lying] = 0
    elif setting.liars is Liars.SUBTLE:
        rest = candidate.n[:, :lying] - candidate.events[:, :lying]
        candidate.events[:, :lying] += (0.08 * rest).astype(np.int64)
    return UnpairedStream(
        candidate=candidate, baseline=_arm(setting, 2 * setting.devices, 0.0, rng)
    )


def spread(mean: float, icc: float, size: int, rng: Rng) -> Rates:
    """A rate for each device: beta-distributed around `mean` with this correlation within."""
    if icc == 0 or not 0 < mean < 1:
        return np.full(size, mean)
    weight = 1 / icc - 1
    return rng.beta(mean * weight, (1 - mean) * weight, size)


def arrivals(looks: int, devices: int, samples: int, rng: Rng) -> Counts:
    """New samples at each look, of shape (looks, devices); devices join in their own time."""
    joined = rng.uniform(0, JOINING * looks, devices)
    new = rng.poisson(samples / looks, (looks, devices))
    return np.where(np.arange(looks)[:, None] >= joined, new, 0)


def liars(devices: int, kind: Liars) -> int:
    """How many devices lie: as many as the engine allows for."""
    return 0 if kind is Liars.NONE else engine.extremes(devices, engine.EPS)


def total(n: Counts, look: int) -> int:
    """All samples of all devices at a look."""
    return int(n[look].sum())


def _arm(setting: Unpaired, size: int, rise: float, rng: Rng) -> Arm:
    rates = spread(setting.base, setting.icc, size, rng)
    n_before = np.full(size, setting.before)
    n = arrivals(setting.looks, size, setting.samples, rng)
    return Arm(
        events_before=rng.binomial(n_before, rates),
        n_before=n_before,
        events=rng.binomial(n, np.clip(rates + rise, 0, 1)).cumsum(axis=0),
        n=n.cumsum(axis=0),
    )
