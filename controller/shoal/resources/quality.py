"""Quality: the metric of a Model, and how bad a variant may be by it.

Scores are in the metric's own unit. Of one that counts errors `maxDrop` is how far the score may
rise above the source's, and `minScore` the most it may be, as for `shoal-compress`.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, Field, model_validator

from shoal.contract.problem import Problem
from shoal.contract.reason import Reason
from shoal.resources.base import Document
from shoal.resources.gate import Gate, given
from shoal.resources.words import Words, refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """The values that a metric can take."""

    least: float
    most: float

    @property
    def width(self) -> float:
        """How far apart two values can be."""
        return self.most - self.least


_SHARE = Range(least=0, most=1)
_COSINE = Range(least=-1, most=1)
_ERRORS = Range(least=0, most=math.inf)
_DECIBELS = Range(least=-math.inf, most=math.inf)
METRICS: Mapping[str, Range] = {
    **dict.fromkeys(("top1", "top5", "f1_macro", "auroc", "agreement"), _SHARE),
    **dict.fromkeys(("spearman", "cosine"), _COSINE),
    **dict.fromkeys(("mse", "mae", "max_abs"), _ERRORS),
    "sqnr": _DECIBELS,
}
_OF_VALUES = frozenset({"mse", "mae", "spearman"})  # their labels are no classes
# What devices can count on late labels, and how a gate may hold it: sums over requests, no ranks.
_COUNTED: Mapping[str, tuple[str, ...]] = {
    "top1": ("maxDrop", "min"),
    **dict.fromkeys(("mae", "mse"), ("max", "maxRatio")),
}
_SQNR = "sqnr"
_SQNR_FLOOR = 20.0  # the compressor's own default: noise of 1 % of the signal's power

_METRICS = Words(what="metric", built=tuple(METRICS), unknown=Reason.UNKNOWN_METRIC)
_FLOORS = Words(what="floor", built=("measured", "proven"))
_FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


def _metric(name: str) -> str:
    if _FUNCTION.fullmatch(name):
        raise refusal(
            Reason.UNKNOWN_METRIC,
            "a metric of your own is code, and the controller runs none of yours",
            "use shoal-compress --metric, or one of " + ", ".join(METRICS),
        )
    return _METRICS.check(name)


class Quality(Document):
    """How much of the source's quality a variant must keep."""

    metric: Annotated[str, AfterValidator(_metric)] = Field(
        default="top1",
        description="With labels: top1, top5, f1_macro, auroc, mse, mae, spearman. Against the "
        "source's own answers: agreement, cosine, sqnr (dB), max_abs. Of mse, mae and max_abs "
        "smaller is better.",
    )
    max_drop: float | None = Field(
        default=0.01,
        ge=0,
        allow_inf_nan=False,
        description="How much worse than the source's own score a variant may score, in the "
        "metric's unit (default 0.01, or none where minScore is given); not of sqnr.",
    )
    min_score: float | None = Field(
        default=None,
        allow_inf_nan=False,
        description="The score that every variant must reach, or of mse, mae and max_abs may have "
        "at most (sqnr: default 20).",
    )
    floor: Annotated[str, AfterValidator(_FLOORS.check)] = Field(
        default="measured",
        description="What must reach the floor: the measured score, or (proven) the whole of its "
        "95 % interval.",
    )

    @model_validator(mode="before")
    @classmethod
    def _one_floor_replaces_the_default(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        if data.get("metric") == _SQNR:
            data = {"minScore": _SQNR_FLOOR, "maxDrop": None, **data}
        if data.get("minScore") is not None and "maxDrop" not in data:
            return {**data, "maxDrop": None}
        return data


def problems(quality: Quality) -> Iterator[Problem]:
    """Floors that the metric cannot have."""
    if quality.max_drop is None and quality.min_score is None:
        yield _invalid("maxDrop", "a Model needs a floor", "give maxDrop, minScore or both")
    possible = METRICS[quality.metric]
    if quality.metric == _SQNR and quality.max_drop is not None:
        yield _invalid(
            "maxDrop",
            "maxDrop says nothing of sqnr: the source's own, against itself, has no bound",
            "give minScore in dB",
        )
    elif quality.max_drop is not None and quality.max_drop > possible.width:
        yield _invalid(
            "maxDrop",
            f"no two values of {quality.metric} are {quality.max_drop:g} apart",
            "write 0.01 for one percent",
        )
    if quality.min_score is not None and not possible.least <= quality.min_score <= possible.most:
        yield _invalid(
            "minScore",
            f"{quality.metric} is never {quality.min_score:g}",
            f"it is from {possible.least:g} to {possible.most:g}",
        )


def gate_problems(quality: Quality, gates: Sequence[Gate]) -> Iterator[Problem]:
    """Gates on `quality` that late labels cannot judge by the Model's metric."""
    for i, gate in enumerate(gates):
        if gate.metric != "quality":
            continue
        possible, (limit, *_) = _COUNTED.get(quality.metric), given(gate)
        place = f"spec.strategy.gates[{i}]"
        if possible is None:
            yield Problem(
                reason=Reason.INVALID,
                message=f"devices cannot count {quality.metric}, the Model's metric, on labels",
                field=f"{place}.metric",
                hint=f"gate on agreement, or give the Model one of {', '.join(_COUNTED)}",
            )
        elif limit not in possible:
            yield Problem(
                reason=Reason.INVALID,
                message=f"a gate on quality has no {limit} where the Model's metric is "
                f"{quality.metric}",
                field=f"{place}.{limit}",
                hint=f"use {' or '.join(possible)}",
            )


def gate_warnings(quality: Quality, gates: Sequence[Gate]) -> Iterator[str]:
    """A sentence for each gate that reads labels of another kind than the Model's data have."""
    for gate in gates:
        if gate.metric == "accuracy" and quality.metric in _OF_VALUES:
            yield (
                "the accuracy gate needs class labels, and the Model's metric is "
                f"{quality.metric}: gate on quality or agreement"
            )
    yield from (f"{one.field}: {one.message}" for one in gate_problems(quality, gates))


def _invalid(field: str, message: str, hint: str) -> Problem:
    return Problem(reason=Reason.INVALID, message=message, field=f"spec.quality.{field}", hint=hint)
