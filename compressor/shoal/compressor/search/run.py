"""The search itself: clean, quantize, prune, distil; judge each candidate from cheap to dear.

Order of the gates: builds, loads, operators, fusion, score (the floor), latency, memory. What fails
one costs nothing of the next. A configuration that fails is followed by a narrower one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from shoal.compressor.analyse.sensitivity import Layer
from shoal.compressor.evaluate.latency import Ratio
from shoal.compressor.passes.protocol import Effort, Pass, PassError
from shoal.compressor.passes.quantize import WEIGHT_OPERATORS, DynamicInt8, StaticInt8
from shoal.compressor.progress import Progress
from shoal.compressor.recipe import Recipe
from shoal.compressor.rejections import Rejection
from shoal.compressor.search import plan
from shoal.compressor.search.bench import Bench
from shoal.compressor.search.builder import Built
from shoal.compressor.search.floor import Floor
from shoal.compressor.search.values import (
    Archive,
    Candidate,
    Costs,
    Rejected,
    Scored,
    Scores,
    SourceFigures,
)
from shoal.contract import units

_PARITY: Final = 1e-3  # of the source's largest answer: how far cleaning may move any number
_HOPELESS_DROPS: Final = 4.0  # allowed drops lost on validation, beyond which shrinking stops
_HOPELESS_AT_LEAST: Final = 0.05
_FLOAT: Final = (Rejection.UNSUPPORTED_OPERATOR, "the profile's precisions leave out fp32")
_SENSITIVE: Final = 2  # layers tried in float, one at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """Which families and number types a run may try."""

    quantize: bool
    prune: bool
    distill: bool
    float32: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A candidate whose memory is still being measured."""

    recipe: Recipe
    built: Built
    scores: Scores
    ratio: Ratio
    is_source: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """How one recipe fared; `scores` is None where it was not built."""

    accepted: bool
    scores: Scores | None


class Search:
    """One run over one bench; `archive` tells what is known so far, at any time."""

    def __init__(
        self,
        bench: Bench,
        source: SourceFigures,
        floor: Floor,
        allowed: Allowed,
        progress: Progress,
    ) -> None:
        self._bench = bench
        self._progress = progress
        self._source = source
        self._floor = floor
        self._allowed = allowed
        self._drafts: list[Draft] = []
        self._rejected: list[Rejected] = []
        self._layers: tuple[Layer, ...] = ()

    def run(self) -> None:
        """Tries everything the plan holds; candidates gather as it goes."""
        situation, allowed = self._bench.situation, self._allowed
        base = self._clean()
        worked = self._quantize(base) if allowed.quantize else None
        ladder: tuple[Pass, ...] = plan.prunings(situation) if allowed.prune else ()
        students: tuple[Pass, ...] = ()
        if allowed.distill:
            students = plan.distillings(situation, beside_pruning=allowed.prune)
        hopeless = self._shrink(base, ladder, worked)
        if not (hopeless and situation.effort is Effort.QUICK):
            self._shrink(base, students, worked)

    def archive(self, *, interrupted: bool) -> Archive:
        """Everything measured; the figures of memory still under way are waited for."""
        candidates = []
        for draft in self._drafts:
            try:
                candidates.append(self._finish(draft))
            except PassError as error:
                self._reject(
                    Rejected(recipe=draft.recipe, reason=error.reason, detail=error.message)
                )
        return Archive(
            source=self._source,
            candidates=tuple(candidates),
            rejected=tuple(self._rejected),
            layers=self._layers,
            interrupted=interrupted,
        )

    def _clean(self) -> Recipe:
        """The cleaned source, always a candidate: cleaning goes only as far as parity holds."""
        for cleaning in plan.CLEANINGS:
            recipe = Recipe((cleaning,))
            try:
                built = self._bench.builder.build(recipe)
                scores = self._bench.judge.scores(built.digest, self._bench.path(built))
            except PassError as error:
                self._reject(Rejected(recipe=recipe, reason=error.reason, detail=error.message))
                continue
            if scores.max_abs <= _PARITY * max(scores.largest, 1e-6):
                if self._allowed.float32:
                    self._weigh(recipe, built, scores, is_source=True)
                else:
                    self._turn_down(recipe, built, scores, _FLOAT)
                return recipe
            moved = f"cleaning moves an answer by {scores.max_abs:.2g}"
            self._reject(Rejected(recipe=recipe, reason=Rejection.BUILD_FAILED, detail=moved))
        return Recipe((plan.CLEANINGS[-1],))

    def _quantize(self, base: Recipe) -> StaticInt8 | None:
        """int8 of the whole model; the static configuration that worked, for narrower nets too."""
        self._attempt(extended(base, DynamicInt8()))
        self._layers = self._sensitive_first(base)
        ladder = plan.static_ladder(self._bench.situation.machine)
        worked = self._first(base, ladder)
        if worked is None:
            narrow = [config for config in ladder if config.operators == WEIGHT_OPERATORS]
            kept = [layer.name for layer in self._layers[:_SENSITIVE]]
            partial = [replace(config, exclude=(name,)) for name in kept for config in narrow]
            worked = self._first(base, partial)
        if worked is not None and self._bench.situation.effort is not Effort.QUICK:
            for config in ladder:
                if config != worked:
                    self._attempt(extended(base, config))
        return worked

    def _sensitive_first(self, base: Recipe) -> tuple[Layer, ...]:
        """The layers by sensitivity; none where they cannot be told apart, which ends nothing."""
        try:
            return self._bench.layers(base)
        except PassError as error:
            self._progress.tell(f"  no sensitivity of layers: {error.message}")
            return ()

    def _first(self, base: Recipe, ladder: Sequence[StaticInt8]) -> StaticInt8 | None:
        for config in ladder:
            if self._attempt(extended(base, config)).accepted:
                return config
        return None

    def _shrink(
        self,
        base: Recipe,
        passes: Sequence[Pass],
        worked: StaticInt8 | None,
    ) -> bool:
        """Each narrower net in float, then in int8; true where validation says to stop."""
        for one in passes:
            recipe = extended(base, one)
            attempt = self._attempt(recipe)
            if attempt.scores is None:
                continue
            if self._is_hopeless(attempt.scores):
                return True
            if self._allowed.quantize:
                ladder = plan.static_ladder(self._bench.situation.machine)
                config = ladder[0] if worked is None else replace(worked, exclude=())
                self._attempt(extended(recipe, config))
        return False

    def _is_hopeless(self, scores: Scores) -> bool:
        """Example: floor 0.01 below the source: 4 x 0.01 is under 0.05, so 0.05 below stops."""
        allowed = self._source.score - self._floor.min_score
        slack = max(_HOPELESS_DROPS * allowed, _HOPELESS_AT_LEAST)
        return scores.validation_score < self._source.validation_score - slack

    def _attempt(self, recipe: Recipe) -> Attempt:
        """Builds and scores one recipe; what passes the floor is timed and weighed."""
        self._progress.tell(f"trying {recipe.title}")
        try:
            built = self._bench.builder.build(recipe)
            scores = self._bench.judge.scores(built.digest, self._bench.path(built))
        except PassError as error:
            self._reject(Rejected(recipe=recipe, reason=error.reason, detail=error.message))
            return Attempt(accepted=False, scores=None)
        refusal = self._refusal(recipe, scores)
        if refusal is not None:
            self._turn_down(recipe, built, scores, refusal)
            return Attempt(accepted=False, scores=scores)
        self._weigh(recipe, built, scores, is_source=False)
        return Attempt(accepted=True, scores=scores)

    def _refusal(self, recipe: Recipe, scores: Scores) -> tuple[Rejection, str] | None:
        in_float = all(one.method != "quantize" for one in recipe.passes)
        if in_float and not self._allowed.float32:
            return _FLOAT
        below = self._floor.refusal(scores)
        return None if below is None else (Rejection.SCORE_BELOW_FLOOR, below)

    def _turn_down(
        self, recipe: Recipe, built: Built, scores: Scores, why: tuple[Rejection, str]
    ) -> None:
        scored = Scored(digest=built.digest, bytes=built.bytes, scores=scores)
        self._reject(Rejected(recipe=recipe, reason=why[0], detail=why[1], scored=scored))

    def _weigh(self, recipe: Recipe, built: Built, scores: Scores, *, is_source: bool) -> None:
        """Times a candidate and starts measuring its memory, which goes on beside later work."""
        path = self._bench.path(built)
        ratio = self._bench.judge.ratio(built.digest, path)
        self._bench.memories.foresee(built.digest, path)
        self._drafts.append(
            Draft(recipe=recipe, built=built, scores=scores, ratio=ratio, is_source=is_source)
        )
        self._progress.tell(
            f"  {recipe.title}: {units.format_size(built.bytes)}, score {scores.score:.4f}, "
            f"latency x{ratio.p50:.2f}"
        )

    def _finish(self, draft: Draft) -> Candidate:
        memory = self._bench.memories.of(draft.built.digest, self._bench.path(draft.built))
        p50_ms = self._source.p50_ms * draft.ratio.p50
        return Candidate(
            recipe=draft.recipe,
            digest=draft.built.digest,
            format=draft.built.format,
            bytes=draft.built.bytes,
            notes=draft.built.notes,
            scores=draft.scores,
            costs=Costs(
                p50_ms=p50_ms,
                p95_ms=max(self._source.p95_ms * draft.ratio.p95, p50_ms),
                latency_ratio=draft.ratio.p50,
                peak_memory_bytes=memory.peak_bytes,
            ),
            is_source=draft.is_source,
        )

    def _reject(self, rejected: Rejected) -> None:
        self._progress.tell(f"  {rejected.reason.value}: {rejected.detail}")
        self._rejected.append(rejected)


def extended(recipe: Recipe, *passes: Pass) -> Recipe:
    """`recipe` followed by `passes`."""
    return Recipe((*recipe.passes, *passes))
