"""Everything a search measures with, in one place: builder, judge, memory and what they know."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from shoal.compressor import errors
from shoal.compressor.analyse import baseline, facts, memory_plan, operations, sensitivity
from shoal.compressor.analyse.facts import Facts
from shoal.compressor.analyse.operations import Work
from shoal.compressor.analyse.sensitivity import Layer
from shoal.compressor.artifacts import Format
from shoal.compressor.passes.protocol import PassError
from shoal.compressor.recipe import Recipe
from shoal.compressor.rejections import Rejection
from shoal.compressor.search.builder import Builder, Built
from shoal.compressor.search.cache import Cache
from shoal.compressor.search.judge import Judge
from shoal.compressor.search.memories import Memories
from shoal.compressor.search.plan import Situation
from shoal.compressor.search.values import Profile, SourceFigures
from shoal.compressor.sources.model import Source
from shoal.compressor.sources.rows import Array
from shoal.contract import jsonform
from shoal.contract.reason import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """The instruments of one run over one source; `feed` is one ordinary row."""

    source: Source
    cache: Cache
    builder: Builder
    judge: Judge
    memories: Memories
    situation: Situation
    feed: Mapping[str, Array]
    threads: int

    def path(self, built: Built) -> Path:
        """The model's file."""
        return self.cache.model_path(built.digest, built.format)

    def source_figures(self) -> SourceFigures:
        """The untouched source, scored, timed and weighed.

        Raises:
            InvalidError: BadData, the source does not answer these rows.
        """
        source = self.source
        self.memories.foresee(source.digest, source.path)
        try:
            scores = self.judge.scores(source.digest, source.path)
            memory = self.memories.of(source.digest, source.path)
            latency = self.judge.source_latency()  # last: nothing else of ours runs beside it
        except PassError as error:
            raise errors.invalid(
                Reason.BAD_DATA,
                f"the source itself cannot be measured on these rows: {error.message}",
                field="MODEL",
                hint="check that the rows and labels are what this model takes and gives",
            ) from error
        return SourceFigures(
            digest=source.digest,
            bytes=source.bytes,
            score=scores.score,
            validation_score=scores.validation_score,
            p50_ms=latency.p50_ms,
            p95_ms=latency.p95_ms,
            peak_memory_bytes=memory.peak_bytes,
            runtime_rss_bytes=memory.runtime_rss_bytes,
        )

    def facts(self, recipe: Recipe) -> Facts:
        """What the graph of `recipe` is made of, cached.

        Raises:
            PassError: it cannot be built.
        """
        built = self.builder.build(recipe)
        entry = self.cache.entry(
            {"facts": built.digest, "version": dict(self.situation.machine.versions)["shoal"]},
            lambda: jsonform.to_json(facts.read(self.builder.model(built))),
        )
        return jsonform.from_json(Facts, entry)

    def profile(self, built: Built) -> Profile | None:
        """What one inference of a graph does; None for a file that is no ONNX graph."""
        if built.format is not Format.ONNX:
            return None
        entry = self.cache.entry(
            {"profile": built.digest, **self.builder.runtime_causes},
            lambda: jsonform.to_json(self._profile(built)),
        )
        return jsonform.from_json(Profile, entry)

    def _profile(self, built: Built) -> Profile:
        work: Work = operations.read(self.path(built).read_bytes(), self.feed)
        session_bytes = self.cache.entry(
            {"session": self.threads, **self.builder.runtime_causes},
            lambda: baseline.session_bytes(self.threads),
        )
        counted = Counter(one.kind for one in work.operations)
        return Profile(
            kinds=tuple(f"{kind} x{number}" for kind, number in sorted(counted.items())),
            nodes=len(work.operations),
            weights=work.weight_bytes // 4,
            sums=sum(one.sums for one in work.operations),
            moved_bytes=sum(one.activation_bytes for one in work.operations),
            memory_bytes=memory_plan.predict(work, session_bytes),
        )

    def layers(self, base: Recipe) -> tuple[Layer, ...]:
        """The sensitivity of the cleaned source's layers, cached.

        Raises:
            PassError: BuildFailed, the graph does not bear the coarse layers.
        """
        built = self.builder.build(base)
        entry = self.cache.entry(
            {"layers": built.digest, **self.builder.build_causes},
            lambda: jsonform.to_json(self._sensitivity(built)),
        )
        return tuple(jsonform.from_json(Layer, layer) for layer in entry)

    def _sensitivity(self, built: Built) -> tuple[Layer, ...]:
        try:
            return sensitivity.layers(self.builder.model(built), self.builder.context())
        except Exception as error:
            what = (str(error).splitlines() or [type(error).__name__])[0][:300]
            raise PassError(Rejection.BUILD_FAILED, what) from error
