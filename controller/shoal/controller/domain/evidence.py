"""What gates look at and what they found: ballots of golden answers and three-valued verdicts."""

import enum
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NewType

from shoal.contract.digest import Digest
from shoal.controller.domain.fleet import CohortId
from shoal.controller.domain.gating import Bound, Metric

# Answers in row order, kept as one text: a record with hundreds of thousands of JSON numbers would
# be read and written in every pass.
Sheet = NewType("Sheet", str)


class Verdict(enum.StrEnum):
    """No data is never a pass."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


class Source(enum.StrEnum):
    """Where the evidence of a verdict comes from; one gate may have several."""

    GOLDEN = "golden"
    SHADOW = "shadow"
    LABELS = "labels"
    TRAFFIC = "traffic"
    INCIDENTS = "incidents"
    COUNT = "count"
    QUERY = "query"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The confidence sequence at one moment, when so many samples were in."""

    samples: int
    low: float
    value: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Whose evidence it is.

    Of `enrolled` updated devices `devices` had samples enough, of those not updated yet `baseline`;
    `trimmed` names updated ones that were too extreme to count.
    """

    enrolled: int = 0
    devices: int = 0
    baseline: int = 0
    trimmed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Width:
    """What the width of an interval is made of, and the data that a verdict would need.

    Shares of one; what sampling gives is known of counts only, for other metrics it is part of
    `devices`. `data_factor` is how many times the data of now, None where more does not help.
    """

    sampling: float
    devices: float
    liars: float
    data_factor: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GateVerdict:
    """One gate on one cohort, from one source, with the numbers that decided it.

    `value` is what was observed and `interval` its confidence sequence, both in the terms of
    `limit` (a drop, a share, a ratio); `effects` are those of single devices, thinned, and `path`
    the looks so far. `gate` is the key of the gate that was judged. `alpha` is its share of the
    chance to fail falsely. `advisory` verdicts neither block nor pass a wave. `passed` remembers an
    earlier pass of this rollout; `holds` is set where devices are beyond the limit against their
    own past and there is no other side left to compare with. `waived` is set when an operator
    promoted past a failed gate.
    """

    metric: Metric
    cohort: CohortId
    verdict: Verdict
    value: float | None = None
    baseline: float | None = None
    limit: float
    samples: int = 0
    interval: tuple[float, float] | None = None
    advisory: bool = False
    waived: bool = False
    message: str = ""
    gate: str = ""
    name: str = ""
    source: Source = Source.GOLDEN
    bound: Bound | None = None
    alpha: float = 0.0
    scope: Scope = Scope()
    width: Width | None = None
    effects: tuple[float, ...] = ()
    path: tuple[Look, ...] = ()
    passed: bool = False
    holds: bool = False

    @property
    def blocks(self) -> bool:
        """Whether the wave must not go on for it."""
        return self.verdict is Verdict.INCONCLUSIVE and not self.advisory


@dataclass(frozen=True, slots=True, kw_only=True)
class Ballot:
    """One switched device's answers on the golden set, beside the answers of the other side.

    `active` is empty where nothing was active before: the source's own answers stand in for it.
    """

    device: str
    golden: Digest
    candidate: Sheet
    active: Sheet


def sheet_of(answers: Sequence[int]) -> Sheet:
    """The answers as text."""
    return Sheet(" ".join(map(str, answers)))


@functools.lru_cache(maxsize=1024)
def answers_of(sheet: Sheet) -> tuple[int, ...]:
    """The answers in row order."""
    return tuple(int(one) for one in sheet.split())
