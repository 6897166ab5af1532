"""The verdict of a gate on one cohort, with the numbers that decided it."""

from typing import Literal

from pydantic import Field

from shoal.resources.base import Told
from shoal.resources.statuses.shared import Plain

Judged = Literal[
    "accuracy",
    "quality",
    "agreement",
    "latency.p50",
    "latency.p95",
    "latency.p99",
    "errorRate",
    "memory",
    "confidence",
    "drift",
    "restarts",
    "crashes",
    "prometheus",
]


class Look(Plain):
    """The estimate and its interval when so many samples were in."""

    samples: int = Field(description="Samples by then.")
    low: float = Field(description="Lower end of the interval, in the terms of the limit.")
    value: float = Field(description="The estimate, in the terms of the limit.")
    high: float = Field(description="Upper end of the interval, in the terms of the limit.")


class Scope(Plain):
    """Whose evidence a verdict rests on."""

    enrolled: int = Field(description="Updated devices of the cohort.")
    devices: int = Field(description="Those of them with samples enough.")
    baseline: int = Field(description="Devices not updated yet, on the other side.")
    trimmed: list[str] = Field(description="Updated devices that were too extreme to count.")


class Width(Told):
    """What makes the interval as wide as it is, and the data that a verdict would need."""

    sampling: float = Field(
        description="Share of one due to few samples; part of `devices` where samples are no count."
    )
    devices: float = Field(description="Share of one due to devices that differ.")
    liars: float = Field(description="Share of one that allows for devices that report falsely.")
    data_factor: float | None = Field(
        description="How many times the data of now a verdict needs; null: more does not help."
    )


class GateVerdict(Plain):
    """What one gate found on one cohort, from one source of evidence."""

    metric: Judged = Field(description="What the gate looks at.")
    cohort: str = Field(description="The cohort that was judged, as status.cohorts names it.")
    verdict: Literal["pass", "fail", "inconclusive"] = Field(
        description="What was found; too little data is inconclusive, never a pass."
    )
    value: float | None = Field(
        description="What was observed, in the terms of the limit: a drop, a share, a ratio, "
        "bytes or milliseconds; null without data."
    )
    baseline: float | None = Field(
        description="The metric's own figure on the other side; null where there is none."
    )
    limit: float = Field(
        description="The gate's limit: a share, a count, a ratio, bytes or milliseconds."
    )
    samples: int = Field(description="Samples that the verdict rests on.")
    interval: list[float] | None = Field(
        description="Lower and upper end that hold at every look, in the terms of the limit."
    )
    advisory: bool = Field(description="Only shown: it neither blocks nor passes a wave.")
    waived: bool = Field(description="An operator promoted the rollout past it.")
    message: str = Field(description="The verdict for people, for example what data is missing.")
    gate: str = Field(description="The key of the gate in the spec that was judged.")
    name: str = Field(description="What people call the gate; empty where it has no name.")
    source: Literal["golden", "shadow", "labels", "traffic", "incidents", "count", "query"] = Field(
        description="Where the evidence comes from; one gate may have several sources."
    )
    bound: Literal["max", "min", "maxRatio", "maxDrop"] | None = Field(
        description="How the limit is meant: absolute (max, min), or against what was before."
    )
    alpha: float = Field(description="Its share of the chance to fail a good revision.")
    scope: Scope = Field(description="How many devices the evidence comes from.")
    width: Width | None = Field(
        description="What the interval's width is made of; null without an interval."
    )
    effects: list[float] = Field(
        description="Figures of single devices in the terms of the limit, thinned."
    )
    path: list[Look] = Field(description="The looks so far, oldest first, thinned.")
    passed: bool = Field(description="It passed earlier in this rollout, which still counts.")
    holds: bool = Field(
        description="Devices are beyond the limit against their own past, and there is no other "
        "side left to compare with: the rollout waits."
    )
