"""What a planner's world is made of: digests, variants, models, strategies and devices."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from shoal.contract.budget import Budget
from shoal.contract.choice import Objective, Point
from shoal.contract.digest import Digest
from shoal.contract.profile import ProfileClass
from shoal.controller.domain.archive import ArchiveState, ClassArchive, GoldenSet, ModelView
from shoal.controller.domain.fleet import CohortKey, DeviceView
from shoal.controller.domain.gating import GateSpec, Metric
from shoal.controller.domain.strategy import Amount, Ppm, Strategy, WaveSpec

NAME = "default/digits"
CLASS = ProfileClass("0a" * 8)
OTHER_CLASS = ProfileClass("1b" * 8)
SMALL = CohortKey(profile_class=CLASS, budget=Budget(artifact_bytes=100), profile="small")
MEDIUM = CohortKey(profile_class=CLASS, budget=Budget(artifact_bytes=200), profile="medium")
LARGE = CohortKey(profile_class=CLASS, budget=Budget(artifact_bytes=300), profile="large")
GOLDEN = Digest("sha256:" + "9" * 64)
ROWS = 360
LABELS = tuple(i % 10 for i in range(ROWS))
RIGHT = LABELS
WRONG = tuple((one + 1) % 10 for one in LABELS)


def digest(name: str) -> Digest:
    """A digest that is easy to name."""
    return Digest(f"sha256:{hashlib.sha256(name.encode()).hexdigest()}")


def variant(model: int, size: int) -> Digest:
    """The variant of a model revision with this many bytes."""
    return digest(f"model {model}, {size} bytes")


def a_point(model: int, size: int) -> Point:
    """A bigger variant is a better one."""
    return Point(
        digest=variant(model, size),
        bytes=size,
        score=0.9 + size / 10_000,
        validation_score=0.9 + size / 10_000,
        validation_interval=(0.9 + size / 10_000, 0.9 + size / 10_000),
        agreement=0.99,
        latency_p95_ms=1.0,
        latency_ratio=0.9,
        peak_memory_bytes=1_000,
    )


def an_archive(
    model: int, profile_class: ProfileClass = CLASS, sizes: Sequence[int] = (80, 90, 100, 200, 300)
) -> ClassArchive:
    """A finished search."""
    return ClassArchive(
        profile_class=profile_class,
        state=ArchiveState.READY,
        min_score=0.8,
        points=tuple(a_point(model, one) for one in sizes),
        golden=GoldenSet(digest=GOLDEN, labels=LABELS, source_answers=RIGHT),
    )


def a_model(number: int, *archives: ClassArchive) -> ModelView:
    """A ready model revision."""
    return ModelView(
        number=number,
        digest=digest(f"source {number}"),
        ready=True,
        objective=Objective.ACCURACY,
        archives=archives or (an_archive(number),),
    )


def share(percent: float) -> Amount:
    """A percent."""
    return Amount(share_ppm=Ppm(round(percent * 10_000)))


def a_wave(name: str, percent: float, **changes: object) -> WaveSpec:
    """A wave that soaks for 10 s and for 60 s at most."""
    wave = WaveSpec(name=name, size=share(percent), soak_s=10.0, max_soak_s=60.0)
    return replace(wave, **changes)  # type: ignore[arg-type]


THREE_WAVES = (a_wave("canary", 10), a_wave("half", 50), a_wave("all", 100))
ACCURACY = GateSpec(metric=Metric.ACCURACY, limit=0.05)


def a_strategy(**changes: object) -> Strategy:
    """Three waves, no gates, everything at once, ten minutes of patience."""
    strategy = Strategy(waves=THREE_WAVES, max_unavailable=share(100))
    return replace(strategy, **changes)  # type: ignore[arg-type]


def devices_of(cohort: CohortKey, count: int) -> list[DeviceView]:
    """`small-0`, `small-1`, …"""
    return [DeviceView(name=f"{cohort.profile}-{i}", cohort=cohort) for i in range(count)]


def nine_devices() -> list[DeviceView]:
    """Three cohorts of three."""
    return [*devices_of(SMALL, 3), *devices_of(MEDIUM, 3), *devices_of(LARGE, 3)]
