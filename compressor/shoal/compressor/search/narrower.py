"""Narrower nets: prunes and distils where validation says that it pays, within counted work."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from shoal.compressor.network.cut import Importance, Scope
from shoal.compressor.passes.distill import Distill
from shoal.compressor.passes.protocol import Effort, Pass, PassError
from shoal.compressor.passes.prune import Prune
from shoal.compressor.recipe import Recipe
from shoal.compressor.rejections import Rejection
from shoal.compressor.search import plan, proposals, work
from shoal.compressor.search.attempts import Attempt, Attempts
from shoal.compressor.search.plan import Situation
from shoal.compressor.search.proposals import Kind, Outcome, Setting, Space, Way
from shoal.compressor.search.values import Rejected, Scores
from shoal.compressor.search.work import Load
from shoal.contract import jsonform

_TEMPERATURE: Final = 8.0
_RATE: Final = 1e-2  # of learning, for nets of up to _SMALL weights; less for larger ones
_SMALL: Final = 50_000
_BATCH: Final = 64
_MULTIPLES: Final = ((100_000, 8), (20_000, 4), (0, 2))  # of channels, by a net's weights
_HALF: Final = 0.5
_DOUBT: Final = 0.25  # how much of a validation score's doubt speaks for it
_PRUNING: Final = (
    Way(kind=Kind.PRUNE),
    Way(kind=Kind.PRUNE, importance=Importance.TAYLOR),
    Way(kind=Kind.PRUNE, scope=Scope.GLOBAL),
)
# What costs more passes over the rows, for runs that have time for it.
_THOROUGH: Final = (
    Way(kind=Kind.PRUNE, importance=Importance.HESSIAN),
    Way(kind=Kind.PRUNE, scope=Scope.SENSITIVITY, importance=Importance.TAYLOR),
)
_DISTILLING: Final = (Way(kind=Kind.DISTILL),)

FollowUp = Callable[[Recipe, Attempt], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a run allows, and the seed of its sampling."""

    prune: bool
    distill: bool
    float32: bool
    seed: int


def ways(terms: Terms, effort: Effort) -> tuple[Way, ...]:
    """The ways of narrowing a net that a run tries, in the order of their promise."""
    pruning = (*_PRUNING, *(_THOROUGH if effort is Effort.THOROUGH else ()))
    return (pruning if terms.prune else ()) + (_DISTILLING if terms.distill else ())


def pruned(setting: Setting) -> float:
    """The ratio of a `Prune` that leaves a net of this setting's size.

    With the scope of sensitivity it is a share of weights, and weights go with the square of the
    channels. Example: half of the channels are three quarters of the weights.
    """
    if setting.way.scope is Scope.SENSITIVITY:
        return round(1 - (1 - setting.ratio) ** 2, 4)
    return setting.ratio


class Narrowing:
    """The search for narrower nets behind one base recipe."""

    def __init__(self, attempts: Attempts, base: Recipe, terms: Terms) -> None:
        self._attempts = attempts
        self._base = base
        self._terms = terms
        self._situation: Situation = attempts.bench.situation
        self._allowance = plan.ALLOWANCES[self._situation.effort]
        self._space = Space(
            ways=ways(terms, self._situation.effort),
            grain=self._allowance.grain,
            seed=terms.seed,
            further=True,
        )

    def run(self, follow_up: FollowUp) -> None:
        """Tries nets until the work is spent; `follow_up` gets each that may do."""
        load = self._load()
        if load is None or not self._space.ways:
            return
        steps = self._steps(load)
        if steps is None:
            return
        outcomes: list[Outcome] = []
        spent_s = 0.0
        while True:
            setting = self._proposed(outcomes)
            if setting is None:
                return
            spent_s += load.training_s(1 - setting.ratio, setting.length * steps, _BATCH)
            if outcomes and spent_s > self._allowance.training_s:
                return
            outcomes.append(self._tried(setting, steps, load, follow_up))

    def _proposed(self, outcomes: list[Outcome]) -> Setting | None:
        """Kept by what is known, so that a cached run never asks a sampler."""
        causes = {
            "proposal": jsonform.to_json(self._space),
            "outcomes": [jsonform.to_json(outcome) for outcome in outcomes],
            **self._attempts.bench.builder.build_causes,
        }

        def make() -> Any:
            found = proposals.propose(self._space, outcomes)
            return {"none": True} if found is None else jsonform.to_json(found)

        known = self._attempts.bench.cache.entry(causes, make)
        return None if "none" in known else jsonform.from_json(Setting, known)

    def _tried(self, setting: Setting, steps: int, load: Load, follow_up: FollowUp) -> Outcome:
        recipe = Recipe((*self._base.passes, self._pass(setting, steps, load)))
        attempt = self._attempts.attempt(recipe, float_allowed=self._terms.float32)
        width = 1 - setting.ratio
        if attempt.scores is None or attempt.built is None:
            return Outcome(setting=setting, margin=None, weights=width**2, cost=width**2)
        if self._margin(attempt.scores, 1.0) >= 0:
            follow_up(recipe, attempt)
        margin = self._margin(attempt.scores, _DOUBT)
        profile = self._attempts.bench.profile(attempt.built)
        whole = max(load.sums, 1)
        return Outcome(
            setting=setting,
            margin=margin,
            weights=attempt.built.bytes / self._attempts.source.bytes,
            cost=width**2 if profile is None else max(profile.sums, 1) / whole,
        )

    def _margin(self, scores: Scores, doubt: float) -> float:
        """By how much a validation score, with this share of its doubt, is above what is wanted.

        What is wanted is the source's own minus the drop that the floor allows. Example: source
        1.0, drop 0.01 allowed, score 0.988 with an interval up to 0.996, of which a quarter counts:
        0.99 - 0.99 is 0.
        """
        source, floor = self._attempts.source, self._attempts.floor
        wanted = source.validation_score - max(source.score - floor.min_score, 0.0)
        high = max(scores.validation_interval[1], scores.validation_score)
        bent = scores.validation_score + doubt * (high - scores.validation_score)
        return round(bent - wanted, 9)

    def _pass(self, setting: Setting, steps: int, load: Load) -> Pass:
        weights = load.weights * (1 - setting.ratio) ** 2
        rate = float(f"{_RATE * min(1.0, (_SMALL / max(weights, 1.0)) ** 0.5):.2g}")
        temperature = _TEMPERATURE if self._situation.classifies else None
        multiple = next(one for least, one in _MULTIPLES if load.weights >= least)
        taught = {
            "steps": steps * setting.length,
            "batch_rows": _BATCH,
            "multiple": multiple,
        }
        if setting.way.kind is Kind.DISTILL:
            width = round(1 - setting.ratio, 4)
            return Distill(width=width, learning_rate=rate, temperature=temperature, **taught)
        return Prune(
            ratio=pruned(setting),
            scope=setting.way.scope,
            importance=setting.way.importance,
            learning_rate=rate,
            temperature=temperature,
            **taught,
        )

    def _steps(self, load: Load) -> int | None:
        """How long each training is; None, and a row that says so, where none can be paid for.

        Example: 30 s pay for three trainings of 480 steps at 20 ms each, and for three of 160 at
        60 ms; at 100 ms there are none.
        """
        allowance = self._allowance
        whole_s = load.training_s(_HALF, allowance.steps, _BATCH)
        fitting = allowance.training_s / plan.LEAST_NETS
        steps = int(allowance.steps * min(1.0, fitting / whole_s))
        if steps >= allowance.least_steps:
            return steps
        config = self._pass(
            Setting(way=self._space.ways[0], ratio=_HALF), allowance.least_steps, load
        )
        count, effort = plan.LEAST_NETS, self._situation.effort
        needed_s = count * load.training_s(_HALF, allowance.least_steps, _BATCH)
        self._attempts.reject(
            Rejected(
                recipe=Recipe((*self._base.passes, config)),
                reason=Rejection.BUILD_FAILED,
                detail=f"not trained: {count} short trainings take about {needed_s:.0f} s of work, "
                f"and effort {effort} has {allowance.training_s:.0f} s for it",
            )
        )
        return None

    def _load(self) -> Load | None:
        try:
            built = self._attempts.bench.builder.build(self._base)
            profile = self._attempts.bench.profile(built)
        except PassError as error:
            self._attempts.progress.tell(f"  no narrower nets: {error.message}")
            return None
        return None if profile is None else work.load(profile)
