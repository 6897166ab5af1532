"""What a variant may cost on a device."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Upper limits of a variant; None means unlimited.

    `latency_p95_ms` is p95 of one inference at batch 1; `memory_bytes` is the peak of a fresh
    process minus the runtime's own share (contracts: section 3).
    """

    artifact_bytes: int | None = None
    memory_bytes: int | None = None
    latency_p95_ms: float | None = None
