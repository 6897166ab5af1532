"""The floor of the score: the worst that a candidate may be on evaluation rows."""

from dataclasses import dataclass

from shoal.compressor.evaluate import standard
from shoal.compressor.search.values import Scores
from shoal.contract.choice import ROUNDING


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """`min_score` as a merit, like all scores inside; `proven` asks the whole interval to meet it.

    With `smaller_is_better` merits are negated errors: a floor of -0.4 reads as "at most 0.4".
    """

    min_score: float
    proven: bool
    smaller_is_better: bool = False

    def shown(self, merit: float) -> float:
        """A merit as the metric's own value, for people and reports."""
        return standard.shown(merit, smaller_is_better=self.smaller_is_better)

    def shown_interval(self, merits: tuple[float, float]) -> tuple[float, float]:
        """An interval of merits as one of the metric's own values."""
        low, high = sorted(self.shown(merit) for merit in merits)
        return low, high

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
                f"score {self.shown(scores.score):.4f} misses the floor "
                f"{self.shown(self.min_score):.4f} by {missing:.4f}"
            )
        if self.proven and not self.is_proven(scores):
            low, high = self.shown_interval(scores.interval)
            return (
                f"score {self.shown(scores.score):.4f} meets the floor "
                f"{self.shown(self.min_score):.4f}, "
                f"but its interval {low:.4f} to {high:.4f} does not"
            )
        return None
