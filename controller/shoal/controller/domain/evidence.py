"""What gates look at and what they found: ballots of golden answers and three-valued verdicts."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NewType

from shoal.contract.digest import Digest
from shoal.controller.domain.fleet import CohortId
from shoal.controller.domain.gating import Metric

# Answers in row order, kept as one text: a record with hundreds of thousands of JSON numbers would
# be read and written in every pass.
Sheet = NewType("Sheet", str)


class Verdict(enum.StrEnum):
    """No data is never a pass."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateVerdict:
    """One gate on one cohort, with the numbers that decided it.

    `value` is what was observed, positive when worse; `interval` is its confidence sequence.
    `waived` is set when an operator promoted past a failed gate.
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
    return Sheet(" ".join(str(one) for one in answers))


def answers_of(sheet: Sheet) -> tuple[int, ...]:
    """The answers in row order."""
    return tuple(int(one) for one in sheet.split())
