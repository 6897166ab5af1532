"""The search itself: clean, quantize, narrow, convert, each candidate through the same gates.

Neither objective nor budget changes what is tried: the archive answers for any of them.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

from shoal.compressor.analyse.sensitivity import Layer
from shoal.compressor.passes.protocol import Pass, PassError
from shoal.compressor.passes.split import Split
from shoal.compressor.recipe import Recipe
from shoal.compressor.rejections import Rejection
from shoal.compressor.search import engines, narrower, plan, quantizing, trimming
from shoal.compressor.search.attempts import Attempt, Attempts, Draft
from shoal.compressor.search.engines import Offer
from shoal.compressor.search.values import Rejected
from shoal.compressor.sources.origin import OriginFormat

_PARITY: Final = 1e-3  # of the source's largest answer: how far cleaning may move any number
_TRIES: Final = 3  # configurations of integers for a narrower net, where the first do not build


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """Which families and number types a run may try."""

    quantize: bool
    prune: bool
    distill: bool
    float32: bool
    precisions: tuple[str, ...]
    offer: Offer


class Search:
    """One run; what it finds gathers in `attempts`, at any time."""

    def __init__(self, attempts: Attempts, allowed: Allowed, seed: int) -> None:
        self._attempts = attempts
        self._bench = attempts.bench
        self._allowed = allowed
        self._seed = seed
        self.layers: tuple[Layer, ...] = ()

    def run(self) -> None:
        """Tries everything the plans hold, what promises most first."""
        base = self._clean()
        for config in engines.kept(self._allowed.offer):
            self._attempt(Recipe((config,)))
        if self._allowed.quantize:
            self.layers = self._sensitive_first(base)
        if self._in_onnxruntime:
            self._quantize(base)
        self._trim()
        self._narrow(base)
        self._convert(base)

    def split(self, memory_bytes: int, wholes: Sequence[Draft]) -> None:
        """Cuts what fits no such memory whole into stages, the narrowest net first."""
        for whole in wholes:
            recipe = extended(whole.recipe, Split(memory_bytes=memory_bytes))
            self._attempts.attempt(recipe, exact=whole.scores)

    def _clean(self) -> Recipe:
        """The cleaned source, always a candidate: cleaning goes only as far as parity holds."""
        bench, attempts = self._bench, self._attempts
        for cleaning in plan.CLEANINGS:
            recipe = Recipe((cleaning,))
            try:
                built = bench.builder.build(recipe)
                scores = bench.judge.scores(built.digest, bench.path(built))
            except PassError as error:
                attempts.reject(Rejected(recipe=recipe, reason=error.reason, detail=error.message))
                continue
            if scores.max_abs <= _PARITY * max(scores.largest, 1e-6):
                why = attempts.unwanted(recipe, built, float_allowed=self._allowed.float32)
                if why is None:
                    attempts.admit(recipe, built, scores, is_source=True)
                else:
                    attempts.turn_down(recipe, built, scores, why)
                return recipe
            moved = f"cleaning moves an answer by {scores.max_abs:.2g}"
            attempts.reject(Rejected(recipe=recipe, reason=Rejection.BUILD_FAILED, detail=moved))
        return Recipe((plan.CLEANINGS[-1],))

    def _sensitive_first(self, base: Recipe) -> tuple[Layer, ...]:
        """The layers by sensitivity; none where they cannot be told apart, which ends nothing."""
        try:
            return self._bench.layers(base)
        except PassError as error:
            self._attempts.progress.tell(f"  no sensitivity of layers: {error.message}")
            return ()

    def _quantize(self, base: Recipe) -> None:
        """The whole net in fewer bits: each ladder until one of its rungs is accepted."""
        try:
            facts = self._bench.facts(base)
        except PassError:
            return  # the base itself was refused, and its row says why
        ladders = quantizing.ladders(
            facts, self.layers, self._bench.situation, self._allowed.precisions
        )
        for ladder in ladders:
            self._first(base, ladder)

    def _trim(self) -> None:
        """What suits tables and trees; the nets that come of it are quantized like any other."""
        if not (self._allowed.prune or self._allowed.distill):
            return
        model = self._bench.cache.entry(
            {"trimming": self._bench.source.digest, **self._bench.builder.build_causes},
            self._trimming_facts,
        )
        facts = trimming.Facts(**model)
        for one in trimming.passes(facts, self._bench.situation):
            if one.method == "distill" and not self._allowed.distill:
                continue
            if one.method != "distill" and not self._allowed.prune:
                continue
            recipe = Recipe((one,))
            attempt = self._attempt(recipe)
            if attempt.accepted and self._in_onnxruntime and one.method == "distill":
                self._in_integers(recipe, attempt)

    def _trimming_facts(self) -> dict[str, object]:
        return asdict(trimming.read(self._bench.builder.context().source, self._origin))

    @property
    def _in_onnxruntime(self) -> bool:
        """Whether integers of onnxruntime's own are worth a try."""
        return self._allowed.quantize and self._allowed.offer.onnxruntime

    @property
    def _origin(self) -> OriginFormat:
        origin = self._bench.source.origin
        return OriginFormat.ONNX if origin is None else origin.format

    def _narrow(self, base: Recipe) -> None:
        terms = narrower.Terms(
            prune=self._allowed.prune,
            distill=self._allowed.distill,
            float32=self._allowed.float32,
            seed=self._seed,
        )
        narrower.Narrowing(self._attempts, base, terms).run(self._after_narrowing)

    def _after_narrowing(self, recipe: Recipe, attempt: Attempt) -> None:
        if self._in_onnxruntime:
            self._in_integers(recipe, attempt)
        if self._allowed.offer.litert:
            for one in engines.after_shrinking(self._bench.facts(recipe), self._allowed.offer):
                self._attempt(extended(recipe, one))

    def _in_integers(self, recipe: Recipe, attempt: Attempt) -> None:
        """A narrower net in the integers that suited the whole one, each ladder from its top."""
        if attempt.built is None:
            return
        ladders = quantizing.ladders(
            self._bench.facts(recipe), (), self._bench.situation, self._allowed.precisions
        )
        for ladder in ladders[:1]:
            for config in ladder[:_TRIES]:
                if self._attempt(extended(recipe, config)).built is not None:
                    break

    def _convert(self, base: Recipe) -> None:
        offer = self._allowed.offer
        if not offer.litert:
            return
        try:
            facts = self._bench.facts(base)
        except PassError:
            return
        effort = self._bench.situation.effort
        for ladder in engines.ladders(facts, self.layers, effort, offer):
            self._first(base, ladder)

    def _first(self, base: Recipe, ladder: Sequence[Pass]) -> None:
        for config in ladder:
            if self._attempt(extended(base, config)).accepted:
                return

    def _attempt(self, recipe: Recipe) -> Attempt:
        return self._attempts.attempt(recipe, float_allowed=self._allowed.float32)


def extended(recipe: Recipe, *passes: Pass) -> Recipe:
    """`recipe` followed by `passes`."""
    return Recipe((*recipe.passes, *passes))
