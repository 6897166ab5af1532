"""Candidates and their gates, from cheap to dear: what fails one costs nothing of the next.

builds       every pass does its work and keeps its own promise (parity)          builder, passes
loads        the runtime has kernels for it                                       gates
fused        the runtime leaves no integers stranded among floats                 gates
engine       it is for one that the run names                                     here
precisions   it does not compute in floats where the profile leaves them out      here
floor        its score on evaluation rows, with the paired interval               floor
bytes        no other does the same operators in fewer bytes, with less memory    here
             planned, and answers as well: it would never be chosen
latency      timed in turns with the source, or foretold for another machine      judge
memory       measured in a fresh process, for what may be chosen                  settling
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from shoal.compressor.artifacts import Format
from shoal.compressor.evaluate import latency
from shoal.compressor.evaluate.latency import Ratio
from shoal.compressor.passes.protocol import Effort, PassError
from shoal.compressor.progress import Progress
from shoal.compressor.recipe import Recipe
from shoal.compressor.rejections import Rejection
from shoal.compressor.search.bench import Bench
from shoal.compressor.search.builder import Built
from shoal.compressor.search.floor import Floor
from shoal.compressor.search.forecasts import Forecasts
from shoal.compressor.search.values import (
    Beaten,
    Forecast,
    Profile,
    Rejected,
    Scored,
    Scores,
    SourceFigures,
)
from shoal.contract import units

_FLOAT: Final = (Rejection.UNSUPPORTED_OPERATOR, "the profile's precisions leave out fp32")
FIRST_LOOK: Final = latency.ROUNDS[Effort.QUICK]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A candidate that passed every gate but measured memory; `profile` None where it has none."""

    recipe: Recipe
    built: Built
    scores: Scores
    ratio: Ratio
    forecast: Forecast | None
    profile: Profile | None
    is_source: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """How one recipe fared; `built` and `scores` are None where it did not come so far."""

    accepted: bool
    built: Built | None
    scores: Scores | None


class Attempts:
    """Everything a search tried, and what came of it."""

    def __init__(
        self, bench: Bench, source: SourceFigures, floor: Floor, progress: Progress
    ) -> None:
        self.bench = bench
        self.source = source
        self.floor = floor
        self.progress = progress
        self.drafts: list[Draft] = []
        self.beaten: list[Beaten] = []
        self.rejected: list[Rejected] = []
        self.engines: tuple[str, ...] = tuple(sorted({one.runtime for one in Format}))
        self.forecasts: Forecasts | None = None  # set where variants are for another machine
        self.heard: Callable[[], None] = lambda: None  # called for each new draft

    def attempt(
        self, recipe: Recipe, *, float_allowed: bool = True, exact: Scores | None = None
    ) -> Attempt:
        """Takes one recipe through the gates; `exact` are the scores of its bit-exact whole."""
        self.progress.tell(f"trying {recipe.title}")
        try:
            built = self.bench.builder.build(recipe)
            scores = exact or self.bench.judge.scores(built.digest, self.bench.path(built))
        except PassError as error:
            self.reject(Rejected(recipe=recipe, reason=error.reason, detail=error.message))
            return Attempt(accepted=False, built=None, scores=None)
        refusal = self.unwanted(recipe, built, float_allowed=float_allowed) or self._below(scores)
        if refusal is not None:
            self.turn_down(recipe, built, scores, refusal)
            return Attempt(accepted=False, built=built, scores=scores)
        accepted = self.admit(recipe, built, scores)
        return Attempt(accepted=accepted, built=built, scores=scores)

    def admit(
        self, recipe: Recipe, built: Built, scores: Scores, *, is_source: bool = False
    ) -> bool:
        """Times what met the floor, unless another beats it; false where it cannot be timed."""
        scored = Scored(digest=built.digest, bytes=built.bytes, scores=scores)
        try:
            profile = self.bench.profile(built)
            better = None if is_source else self._better(scored, profile)
            if better is not None:
                self.beaten.append(Beaten(recipe=recipe, scored=scored, by=better.recipe))
                self.progress.tell(f"  {recipe.title}: {better.recipe.title} is better")
                return True
            foretold = None if self.forecasts is None else self.forecasts.of(built)
            ratio = (
                self.bench.judge.ratio(built.digest, self.bench.path(built), FIRST_LOOK)
                if foretold is None
                else foretold.ratio
            )
        except PassError as error:
            self.turn_down(recipe, built, scores, (error.reason, error.message))
            return False
        self.drafts.append(
            Draft(
                recipe=recipe,
                built=built,
                scores=scores,
                ratio=ratio,
                forecast=None if foretold is None else foretold.forecast,
                profile=profile,
                is_source=is_source,
            )
        )
        shown = self.floor.shown(scores.score)
        self.progress.tell(
            f"  {recipe.title}: {units.format_size(built.bytes)}, score {shown:.4f}, "
            f"latency x{ratio.p50:.2f}"
        )
        self.heard()
        return True

    def turn_down(
        self, recipe: Recipe, built: Built, scores: Scores, why: tuple[Rejection, str]
    ) -> None:
        """Refuses a candidate whose score is known."""
        scored = Scored(digest=built.digest, bytes=built.bytes, scores=scores)
        self.reject(Rejected(recipe=recipe, reason=why[0], detail=why[1], scored=scored))

    def reject(self, rejected: Rejected) -> None:
        """One more row of `rejected`; a recipe is refused once."""
        self.progress.tell(f"  {rejected.reason.value}: {rejected.detail}")
        self.rejected.append(rejected)

    def unwanted(
        self, recipe: Recipe, built: Built, *, float_allowed: bool
    ) -> tuple[Rejection, str] | None:
        """Why the run's engines or precisions leave a candidate out; None where they do not."""
        engine = built.format.runtime
        if engine not in self.engines:
            return Rejection.UNSUPPORTED_OPERATOR, f"the engines leave out {engine}"
        in_float = all(one.method != "quantize" for one in recipe.passes)
        return _FLOAT if in_float and not float_allowed else None

    def _below(self, scores: Scores) -> tuple[Rejection, str] | None:
        below = self.floor.refusal(scores)
        return None if below is None else (Rejection.SCORE_BELOW_FLOOR, below)

    def _better(self, scored: Scored, profile: Profile | None) -> Draft | None:
        """A draft that does the same kinds of operators on less, and answers as well or better."""
        if profile is None:
            return None
        for draft in self.drafts:
            if draft.profile is None or draft.profile.kinds != profile.kinds:
                continue
            ours, theirs = _merits(scored, profile), _merits(_scored(draft), draft.profile)
            if all(b <= a for a, b in zip(ours, theirs, strict=True)):
                return draft
        return None


def _scored(draft: Draft) -> Scored:
    return Scored(digest=draft.built.digest, bytes=draft.built.bytes, scores=draft.scores)


def _merits(scored: Scored, profile: Profile) -> tuple[float, ...]:
    """Smaller is better in each."""
    return (
        scored.bytes,
        profile.sums,
        profile.moved_bytes,
        profile.memory_bytes,
        -scored.scores.validation_score,
        -scored.scores.validation_agreement,
        -scored.scores.validation_interval[1],
    )
