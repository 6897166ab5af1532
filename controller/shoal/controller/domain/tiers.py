"""Speed tiers: devices of one hardware that are of clearly different speed, told apart.

Devices of one make drift apart in service, by settings, heat and wear (HDAP, arXiv 2512.00017,
clusters them for this reason). All sums are in *steps* of 2 %, the logarithm of a score: a ratio is
a difference there, and what is written down is a whole number.

A tier is known by its *anchor*, the step around which it was founded, and never by its rank: what
was measured in a tier stays true of it when a faster one appears. Laws: the same scores in any
order give the same tiers; told its own answer again, a second look changes nothing.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, combinations, pairwise

MOST = 3
FEWEST_DEVICES = 12  # of one hardware; fewer are one tier, or a lone slow one would be a class
KEPT_DEVICES = 6  # tiers that were founded stay while there are so many
FEWEST_IN_TIER = 3
STEP = 1.02

# In steps. Example: 34.3 steps of 2 % are a ratio of 1.02 ** 34.3 = 1.97.
APART = 21  # tiers are founded where their centres are 1.5 times apart,
STILL_APART = 15  # and stay while they are 1.35 times apart
DRIFT = 7  # a centre that moved by less than 1.15 keeps its anchor
CLEARLY = 5  # a device changes its tier 1.1 times beyond the border

_FAR = 105  # 8 times


@dataclass(frozen=True, slots=True, kw_only=True)
class Tiers:
    """The tiers of one hardware: `anchors`, fastest first, and the anchor of each device.

    Both are empty where all devices are of one tier.
    """

    anchors: tuple[int, ...] = ()
    devices: tuple[tuple[str, int], ...] = ()


def clustered(scores: Mapping[str, float], before: Tiers) -> Tiers:
    """At most three tiers of these devices; most of all the ones that there were.

    Example: 20 devices of 1,000 and 10 of 500 are two tiers, anchored at steps 349 and 314. One
    of the 1,000 that falls to 690 stays, as the border is at 707 and 1.1 times below is 643; at
    600 it changes over.
    """
    steps = {name: _step(score) for name, score in scores.items() if score > 1}
    wanted = KEPT_DEVICES if before.anchors else FEWEST_DEVICES
    if len(steps) < wanted:
        return Tiers()
    centres = _centres(list(steps.values()), len(before.anchors))
    anchors = tuple(sorted(_anchors(centres, before.anchors), reverse=True))
    if not anchors:
        return Tiers()
    known = dict(before.devices)
    devices = ((name, _place(steps[name], known.get(name), anchors)) for name in sorted(steps))
    return Tiers(anchors=anchors, devices=tuple(devices))


def _step(score: float) -> int:
    return round(math.log(score, STEP))


def _centres(steps: Sequence[int], tiers_before: int) -> tuple[float, ...]:
    """The mean steps of the most tiers that are apart enough; none where all are of one tier."""
    middle = sorted(steps)[len(steps) // 2]
    # One device that is far off everything moves no centre far.
    kept = sorted(min(max(step, middle - _FAR), middle + _FAR) for step in steps)
    for number in range(MOST, 1, -1):
        runs = _best_cut(kept, number)
        least, apart = (1, STILL_APART) if number == tiers_before else (FEWEST_IN_TIER, APART)
        centres = [sum(run) / len(run) for run in runs]
        if runs and all(len(run) >= least for run in runs) and _apart(centres) >= apart:
            return tuple(centres)
    return ()


def _apart(centres: Sequence[float]) -> float:
    return min(high - low for low, high in pairwise(centres))


def _best_cut(steps: Sequence[int], number: int) -> list[Sequence[int]]:
    """The ascending `steps` cut into runs with the least squares within; none if all are alike.

    There are few distinct steps, so that every cut between two of them is tried.
    """
    sums = [0, *accumulate(steps)]
    squares = [0, *accumulate(step * step for step in steps)]

    def cost(start: int, end: int) -> float:
        total = sums[end] - sums[start]
        return squares[end] - squares[start] - total * total / (end - start)

    places = [i for i in range(1, len(steps)) if steps[i] != steps[i - 1]]
    cuts = ((0, *found, len(steps)) for found in combinations(places, number - 1))
    best = min(cuts, key=lambda cut: sum(cost(*run) for run in pairwise(cut)), default=())
    return [steps[start:end] for start, end in pairwise(best)]


def _anchors(centres: Sequence[float], before: Sequence[int]) -> set[int]:
    """For each centre the anchor that stood so near already, else a new one.

    Centres are further apart than two drifts, so that no two take the same.
    """
    anchors = set()
    for centre in centres:
        near = min(before, key=lambda one: abs(one - centre), default=None)
        kept = near is not None and abs(near - centre) <= DRIFT
        anchors.add(near if kept and near is not None else round(centre))
    return anchors


def _place(step: int, known: int | None, anchors: Sequence[int]) -> int:
    """The nearest anchor; the one that it was at until it is clearly nearer to another."""
    nearest = min(anchors, key=lambda one: (abs(one - step), one))
    if known not in anchors or known is None:
        return nearest
    border = (known + nearest) / 2
    return nearest if abs(step - border) > CLEARLY else known
