"""What searches found: for each model revision and profile class the measured variants."""

import enum
from collections.abc import Collection
from dataclasses import dataclass, replace

from shoal.contract import choice
from shoal.contract.budget import Budget
from shoal.contract.choice import Miss, Objective, Point
from shoal.contract.digest import Digest
from shoal.contract.profile import ProfileClass


class ArchiveState(enum.StrEnum):
    """How far the search for one class is."""

    PENDING = "Pending"
    SEARCHING = "Searching"
    READY = "Ready"
    FAILED = "Failed"

    @property
    def settled(self) -> bool:
        """Whether waiting longer would change nothing."""
        return self in {ArchiveState.READY, ArchiveState.FAILED}


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldenSet:
    """The fixed inputs that travel with a variant: their labels and the source's own answers.

    Both are in row order, one entry for each distinct input; `labels` is None where the data has
    none.
    """

    digest: Digest
    labels: tuple[int, ...] | None
    source_answers: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What scouts of a class measured of one variant: the worst of `devices` of them.

    `refusal` says why it does not do on a device of this class; empty where it does.
    """

    digest: Digest
    devices: int
    latency_p95_ms: float = 0.0
    peak_memory_bytes: int = 0
    refusal: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassArchive:
    """The result of one search; `points` is empty until one is Ready.

    Scores of points are *merits*, so that larger is better in every rule: of a metric that counts
    errors (`smaller_is_better`) they are the negatives. With a floor that must be proven they are
    the lower ends of the scores' intervals, because those are held against it. `min_score` is a
    merit too. Latency and memory of `points` are the builder's estimates, those of `measured` the
    scouts' evidence; while `scouting` more of it is on its way, for a bounded time.
    """

    profile_class: ProfileClass
    state: ArchiveState
    min_score: float = 0.0
    points: tuple[Point, ...] = ()
    golden: GoldenSet | None = None
    message: str = ""
    smaller_is_better: bool = False
    measured: tuple[Measured, ...] = ()
    scouting: bool = False

    @property
    def settled(self) -> bool:
        """Whether waiting longer would change nothing."""
        return self.state.settled and not self.scouting

    def ranked(
        self, budget: Budget, objective: Objective, without: Collection[Digest] = ()
    ) -> tuple[Point, ...]:
        """All feasible points, best first, those with evidence before those without.

        Example: a budget of 5 ms, estimates 2 ms for a and 3 ms for b and c. Scouts measured 6 ms
        for a and 4 ms for b: b is chosen, it may fall to c, and a is out.
        """
        usable = [one for one in self.figures(budget) if one.digest not in without]
        proven = {one.digest for one in self._evidence(budget).values()}
        first = [one for one in usable if one.digest in proven]
        rest = [one for one in usable if one.digest not in proven]
        parts = (choice.ranked(part, budget, self.min_score, objective) for part in (first, rest))
        return tuple(point for part in parts for point in part)

    def figures(self, budget: Budget) -> tuple[Point, ...]:
        """The points by what is held against this budget; without those that scouts refused.

        Evidence bears only on a budget that limits latency or memory. Others would compare what
        devices measured with what the builder did, and those are two scales.
        """
        evidence = self._evidence(budget)
        source = next((one.digest for one in self.points if one.is_source), None)
        base = evidence.get(source) if source else None
        base = None if base is None or base.refusal or not base.latency_p95_ms else base

        def seen(point: Point) -> Point:
            found = evidence.get(point.digest)
            if found is None:
                return point
            ratio = found.latency_p95_ms / base.latency_p95_ms if base else point.latency_ratio
            return replace(
                point,
                latency_p95_ms=found.latency_p95_ms,
                peak_memory_bytes=found.peak_memory_bytes,
                latency_ratio=ratio,
            )

        return tuple(
            seen(one)
            for one in self.points
            if one.digest not in evidence or not evidence[one.digest].refusal
        )

    def refusal(self, digest: Digest, budget: Budget) -> str:
        """Why scouts ruled a variant out; empty where they did not."""
        found = self._evidence(budget).get(digest)
        return found.refusal if found else ""

    def is_measured(self, digest: Digest, budget: Budget) -> bool:
        """Whether devices' figures of a variant are what is held against this budget."""
        return digest in self._evidence(budget)

    def _evidence(self, budget: Budget) -> dict[Digest, Measured]:
        limited = budget.latency_p95_ms is not None or budget.memory_bytes is not None
        return {one.digest: one for one in self.measured} if limited else {}

    def nearest(self, budget: Budget) -> tuple[Miss, ...]:
        """What came nearest to each constraint, with scores as the metric's own values.

        Example: errors of at most 0.4 were allowed, the least is 0.5: limit 0.4, nearest 0.5,
        missed by 0.1.
        """
        misses = choice.nearest(self.figures(budget), budget, self.min_score)
        if not self.smaller_is_better:
            return misses
        return tuple(
            replace(one, limit=-one.limit, nearest=-one.nearest)
            if one.constraint == "min_score"
            else one
            for one in misses
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelView:
    """One revision of the deployment's model; `ready` once its source has been accepted.

    `metric` is what it is judged by, the empty text where nobody said.
    """

    number: int
    digest: Digest
    ready: bool
    objective: Objective = Objective.ACCURACY
    metric: str = ""
    archives: tuple[ClassArchive, ...] = ()

    def archive(self, profile_class: ProfileClass) -> ClassArchive | None:
        """The search for one class, or None where none was asked for yet."""
        return next((one for one in self.archives if one.profile_class == profile_class), None)
