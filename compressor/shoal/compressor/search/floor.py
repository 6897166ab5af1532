"""The floor of the score: the worst that a candidate may be on evaluation rows."""

from dataclasses import dataclass

from shoal.compressor.search.values import Scores
from shoal.contract.choice import ROUNDING


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """`min_score` in terms of the score; `proven` asks the interval's lower end to meet it too."""

    min_score: float
    proven: bool

    def judged(self, scores: Scores) -> float:
        """The number that is held against the floor: the score, or its interval's lower end."""
        return scores.interval[0] if self.proven else scores.score

    def is_proven(self, scores: Scores) -> bool:
        """Whether the whole paired interval lies at or above the floor."""
        return scores.interval[0] >= self.min_score - ROUNDING

    def refusal(self, scores: Scores) -> str | None:
        """Why these scores are not enough, as a phrase; None where they are."""
        if scores.score < self.min_score - ROUNDING:
            missing = self.min_score - scores.score
            return (
                f"score {scores.score:.4f} misses the floor {self.min_score:.4f} by {missing:.4f}"
            )
        if self.proven and not self.is_proven(scores):
            low, high = scores.interval
            return (
                f"score {scores.score:.4f} meets the floor {self.min_score:.4f}, "
                f"but its interval {low:.4f} to {high:.4f} does not"
            )
        return None
