"""What searches found: for each model revision and profile class the measured variants."""

import enum
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
class ClassArchive:
    """The result of one search; `points` is empty until one is Ready.

    Scores of points are *merits*, so that larger is better in every rule: of a metric that counts
    errors (`smaller_is_better`) they are the negatives. With a floor that must be proven they are
    the lower ends of the scores' intervals, because those are held against it. `min_score` is a
    merit too.
    """

    profile_class: ProfileClass
    state: ArchiveState
    min_score: float = 0.0
    points: tuple[Point, ...] = ()
    golden: GoldenSet | None = None
    message: str = ""
    smaller_is_better: bool = False

    def nearest(self, budget: Budget) -> tuple[Miss, ...]:
        """What came nearest to each constraint, with scores as the metric's own values.

        Example: errors of at most 0.4 were allowed, the least is 0.5: limit 0.4, nearest 0.5,
        missed by 0.1.
        """
        misses = choice.nearest(self.points, budget, self.min_score)
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
    """One revision of the deployment's model; `ready` once its source has been accepted."""

    number: int
    digest: Digest
    ready: bool
    objective: Objective = Objective.ACCURACY
    archives: tuple[ClassArchive, ...] = ()

    def archive(self, profile_class: ProfileClass) -> ClassArchive | None:
        """The search for one class, or None where none was asked for yet."""
        return next((one for one in self.archives if one.profile_class == profile_class), None)
