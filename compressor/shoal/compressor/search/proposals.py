"""Which narrower net to try next: a pure function of what is known, so that a rerun repeats it.

First a ladder of ratios that spans sizes, then, for one way of narrowing after another, bisection
for the narrowest net that validation bears, then a multi-objective search by a tree-structured
Parzen estimator (Bergstra et al., NeurIPS 2011; Ozaki et al., GECCO 2020) over all ways, ratios and
training lengths. No measured time and no evaluation row has a say.
"""

import enum
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from shoal.compressor.network.cut import Importance, Scope

_RATIOS: Final = (0.1875, 0.9375)  # the least and the most of a net that is ever removed
# Halves and quarters of a power of two are whole vectors, which kernels like.
_LADDER: Final = (0.5, 0.75, 0.25)
_STRIDE: Final = 0.7  # of the width, the least that follows one that held
_NEAR: Final = 2  # grains on either side of the best ratio that are tried for another way
_LONGER: Final = 2  # times the usual training, the other length that is searched
_WIDER, _NARROWER = 0.1, 0.075  # how far from the narrowest net that held more is looked for
_ASKED: Final = 30
_STARTUP: Final = 6


class Kind(enum.StrEnum):
    """What teaches the narrower net."""

    PRUNE = "prune"
    DISTILL = "distill"


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way of narrowing a net."""

    kind: Kind
    scope: Scope = Scope.LAYER
    importance: Importance = Importance.MAGNITUDE

    @property
    def name(self) -> str:
        """One word for it."""
        return f"{self.kind}-{self.scope}-{self.importance}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One narrower net: `ratio` is the share of channels to remove, `length` times the steps."""

    way: Way
    ratio: float
    length: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a setting fared.

    `margin` is by how much its validation score is above what is wanted, None where the net could
    not be made; `weights` and `cost` say how much of the whole net is left to store and to compute.
    """

    setting: Setting
    margin: float | None
    weights: float
    cost: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """What may be tried: ways in the order of their promise, ratios in steps of `grain`."""

    ways: tuple[Way, ...]
    grain: float
    seed: int
    further: bool

    def snapped(self, ratio: float) -> float:
        """The nearest ratio of the grid."""
        least, most = _RATIOS
        return round(min(max(round(ratio / self.grain) * self.grain, least), most), 4)


def propose(space: Space, outcomes: Sequence[Outcome]) -> Setting | None:
    """The next setting; None where nothing is left that promises anything."""
    if not space.ways or _is_futile(outcomes):
        return None
    tried = {outcome.setting for outcome in outcomes}
    first = space.ways[0]
    for ratio in _LADDER:
        setting = Setting(way=first, ratio=space.snapped(ratio))
        if setting not in tried and not _is_beyond(setting, outcomes):
            return setting
    for way in space.ways:
        found = _bisected(space, way, outcomes)
        if found is not None and found not in tried:
            return found
    return _sampled(space, outcomes) if space.further else None


def _is_futile(outcomes: Sequence[Outcome]) -> bool:
    """The first nets could not even be made: an operator that cannot be trained, for example."""
    return len(outcomes) > 1 and all(outcome.margin is None for outcome in outcomes)


def _is_beyond(setting: Setting, outcomes: Sequence[Outcome]) -> bool:
    """Whether a wider net of the same way already failed."""
    return any(
        outcome.setting.way == setting.way
        and outcome.setting.ratio < setting.ratio
        and (outcome.margin is None or outcome.margin < 0)
        for outcome in outcomes
    )


def _bisected(space: Space, way: Way, outcomes: Sequence[Outcome]) -> Setting | None:
    """The middle between the narrowest net that held and the widest that failed.

    The middle is that of widths on a logarithmic scale, because weights go with the square, and at
    most half of the weights go at a time. Example: 0.4 of the width holds, 0.3 fails: next is
    sqrt(0.4 * 0.3) = 0.35, a ratio of 0.65. A way without an outcome starts where the others ended.
    """
    own = [outcome for outcome in outcomes if outcome.setting.way == way]
    held = [o.setting.ratio for o in own if o.margin is not None and o.margin >= 0]
    failed = [o.setting.ratio for o in own if o.margin is None or o.margin < 0]
    if not own:
        best = _best_ratio(outcomes)
        return Setting(way=way, ratio=space.snapped(best)) if best is not None else None
    if way != space.ways[0] and not held:
        ratio = min(failed) - _NEAR * space.grain
        return Setting(way=way, ratio=space.snapped(ratio)) if len(failed) == 1 else None
    holds = max(held, default=_RATIOS[0])
    fails = min((ratio for ratio in failed if ratio > holds), default=1.0)
    middle = math.sqrt((1 - holds) * (1 - fails))
    middle = space.snapped(1 - max(middle, (1 - holds) * _STRIDE))
    if way != space.ways[0]:
        middle = min(middle, space.snapped(holds + _NEAR * space.grain))
    if not holds < middle < fails:
        return None
    return Setting(way=way, ratio=middle)


def _best_ratio(outcomes: Sequence[Outcome]) -> float | None:
    held = [o.setting.ratio for o in outcomes if o.margin is not None and o.margin >= 0]
    return max(held, default=None)


def _sampled(space: Space, outcomes: Sequence[Outcome]) -> Setting | None:
    """A new setting not far from the narrowest that held; None where the sampler has no more."""
    best = _best_ratio(outcomes)
    if best is None:
        return None
    import optuna  # noqa: PLC0415 - not paid by a cached run

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    tried = {outcome.setting for outcome in outcomes}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # parts of it count as experimental
        distributions: dict[str, Any] = {
            "way": optuna.distributions.CategoricalDistribution([way.name for way in space.ways]),
            "ratio": optuna.distributions.FloatDistribution(
                space.snapped(best - _WIDER), space.snapped(best + _NARROWER)
            ),
            "length": optuna.distributions.CategoricalDistribution([1, _LONGER]),
        }
        study = _told(space.seed, distributions, outcomes)
        for _ in range(_ASKED):
            trial = study.ask(distributions)
            setting = _setting(space, trial.params)
            if setting not in tried:
                return setting
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
    return None


def _told(seed: int, distributions: dict[str, Any], outcomes: Sequence[Outcome]) -> Any:
    """A study that knows the outcomes: few weights and little to compute, where the score holds."""
    import optuna  # noqa: PLC0415 - not paid by a cached run

    sampler = optuna.samplers.TPESampler(seed=seed + len(outcomes), n_startup_trials=_STARTUP)
    study = optuna.create_study(directions=["minimize", "minimize"], sampler=sampler)
    ratios = distributions["ratio"]
    for outcome in outcomes:
        setting = outcome.setting
        if not ratios.low <= setting.ratio <= ratios.high:
            continue
        known = {"way": setting.way.name, "ratio": setting.ratio, "length": setting.length}
        study.enqueue_trial(known)
        trial = study.ask(distributions)
        trial.set_constraint("score", 1.0 if outcome.margin is None else -outcome.margin)
        study.tell(trial, [math.log(outcome.weights), math.log(outcome.cost)])
    return study


def _setting(space: Space, params: dict[str, Any]) -> Setting:
    (way,) = (way for way in space.ways if way.name == params["way"])
    return Setting(way=way, ratio=space.snapped(params["ratio"]), length=params["length"])
