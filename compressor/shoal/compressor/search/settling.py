"""The last measurements: memory of what may be chosen, and the chosen one's latency once more.

During the search every candidate gets a short look. What a user will recompute deserves a long one:
the best by the rule of choice is timed again, and the rule asked again, until it stays the best.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from shoal.compressor.evaluate import latency
from shoal.compressor.evaluate.latency import Rounds
from shoal.compressor.passes.protocol import Effort, PassError
from shoal.compressor.search import front
from shoal.compressor.search.attempts import Attempts, Draft
from shoal.compressor.search.values import Candidate, Costs, Rejected
from shoal.contract.digest import Digest

_LONG_LOOK: Final = {
    Effort.QUICK: latency.ROUNDS[Effort.BALANCED],
    Effort.BALANCED: Rounds(least=21, most=400, seconds=3.0),
    Effort.THOROUGH: Rounds(least=21, most=1_000, seconds=8.0),
}

Rank = Callable[[Sequence[Candidate]], Sequence[Digest]]


class Settling:
    """Turns drafts into candidates; `rank` is the rule of choice: digests that fit, best first."""

    def __init__(self, attempts: Attempts, rank: Rank) -> None:
        self._attempts = attempts
        self._rank = rank
        self._measured: dict[Digest, int] = {}
        self._looks: dict[Digest, Rounds] = {}
        self._lost: set[Digest] = set()

    def weighed(self) -> tuple[Candidate, ...]:
        """All candidates, with the measured memory of those that may be chosen."""
        self._weigh_front()
        return self.candidates()

    def settled(self) -> tuple[Candidate, ...]:
        """All candidates, measured as far as it matters."""
        self._weigh_front()
        while True:
            candidates = self.candidates()
            order = self._rank(candidates)
            if not order or (order[0] in self._looks and order[0] in self._measured):
                return candidates
            self._look_again(order[0])

    def candidates(self) -> tuple[Candidate, ...]:
        """Every draft with what is known of it now; memory is planned where it is not measured."""
        unique = {draft.built.digest: draft for draft in reversed(self._attempts.drafts)}
        kept = [draft for digest, draft in unique.items() if digest not in self._lost]
        return tuple(self._candidate(draft) for draft in reversed(kept))

    def _weigh_front(self) -> None:
        """Memory of every candidate that any budget might pick, until none is left on a plan."""
        while True:
            unknown = [
                one for one in front.front(self.candidates()) if one.digest not in self._measured
            ]
            if not unknown:
                return
            for one, following in itertools.pairwise([*unknown, unknown[-1]]):
                self._foresee(one.digest)
                self._foresee(following.digest)
                self._weigh(one.digest)

    def _foresee(self, digest: Digest) -> None:
        bench = self._attempts.bench
        bench.memories.foresee(digest, bench.path(self._draft(digest).built))

    def _weigh(self, digest: Digest) -> None:
        draft = self._draft(digest)
        bench = self._attempts.bench
        try:
            memory = bench.memories.of(digest, bench.path(draft.built))
        except PassError as error:
            self._lost.add(digest)
            self._attempts.reject(
                Rejected(recipe=draft.recipe, reason=error.reason, detail=error.message)
            )
            return
        self._measured[digest] = memory.peak_bytes

    def _look_again(self, digest: Digest) -> None:
        if digest not in self._measured:
            self._weigh(digest)
        if digest in self._lost:
            return
        self._looks[digest] = _LONG_LOOK[self._attempts.bench.situation.effort]
        draft = self._draft(digest)
        if draft.forecast is not None:
            return
        ratio = self._attempts.bench.judge.ratio(
            digest, self._attempts.bench.path(draft.built), self._looks[digest]
        )
        place = self._attempts.drafts.index(draft)
        self._attempts.drafts[place] = replace(draft, ratio=ratio)

    def _draft(self, digest: Digest) -> Draft:
        return next(one for one in self._attempts.drafts if one.built.digest == digest)

    def _candidate(self, draft: Draft) -> Candidate:
        source = self._attempts.source
        p50_ms = source.p50_ms * draft.ratio.p50
        planned = draft.profile.memory_bytes if draft.profile is not None else 0
        return Candidate(
            recipe=draft.recipe,
            digest=draft.built.digest,
            format=draft.built.format,
            bytes=draft.built.bytes,
            notes=draft.built.notes,
            scores=draft.scores,
            costs=Costs(
                p50_ms=p50_ms,
                p95_ms=max(source.p95_ms * draft.ratio.p95, p50_ms),
                latency_ratio=draft.ratio.p50,
                peak_memory_bytes=self._measured.get(draft.built.digest, planned),
                forecast=draft.forecast,
            ),
            is_source=draft.is_source,
        )
