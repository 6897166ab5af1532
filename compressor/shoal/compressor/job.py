"""One run's instructions, every option resolved."""

import enum
from dataclasses import dataclass
from pathlib import Path

from shoal.compressor.target import Target
from shoal.contract.budget import Budget
from shoal.contract.choice import Objective
from shoal.contract.profile import RuntimeChoice


class Method(enum.StrEnum):
    """Families of passes that a search may use."""

    QUANTIZE = "quantize"
    PRUNE = "prune"
    DISTILL = "distill"
    SPLIT = "split"


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorRule:
    """How bad a score may be: at most `max_drop` below the source, or at least `min_score`.

    Of a metric that counts errors (mse, mae, max_abs): at most `max_drop` above the source, or at
    most `min_score`. Both are in the metric's own unit.
    """

    max_drop: float | None
    min_score: float | None
    proven: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What to compress, on which rows, for which device, and where the result goes.

    `metric` and `effort` are words checked against the closed sets (a metric may also be
    `package.module:function`); None as metric means the default for the rows and the model.
    `states` are (input, output) pairs of a recurrent model. `target` is None where variants are for
    this machine.
    """

    model: str
    calibration: Path
    evaluation: Path
    train: Path | None
    metric: str | None
    floor: FloorRule
    budget: Budget
    runtime: RuntimeChoice
    engines: tuple[str, ...]
    target: Target | None
    methods: frozenset[Method]
    objective: Objective
    effort: str
    states: tuple[tuple[str, str], ...]
    model_output: str | None
    trusted: tuple[str, ...]
    trust_pickle: bool
    seed: int
    golden: int | None
    out: Path
    cache: Path
