"""What pruning and distillation have in common: the shape of a narrower net and how it is taught.

Plain values, so that a recipe can hold them without torch.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """How to train: Adam for a number of optimizer steps, up to `learning_rate` and down to none.

    `temperature` softens the answers (None: match them as they are); `label_weight` is the share of
    the loss that labels have where there are any.
    """

    steps: int
    batch_rows: int
    learning_rate: float
    temperature: float | None
    label_weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Teaching:
    """Settings of both passes; channels stay a multiple of `multiple`, the rest is a schedule's.

    `temperature` None matches the answers as they are, for regressors and embeddings.
    """

    multiple: int = 4
    steps: int = 200
    batch_rows: int = 64
    learning_rate: float = 1e-2
    temperature: float | None = 8.0

    def schedule(self, label_weight: float) -> Schedule:
        """The schedule with labels of this weight."""
        return Schedule(
            steps=self.steps,
            batch_rows=self.batch_rows,
            learning_rate=self.learning_rate,
            temperature=self.temperature,
            label_weight=label_weight,
        )
