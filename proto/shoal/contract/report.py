"""Observed state: what one device says of itself.

A report is the whole observed state, not a change: any one may be lost, repeated or late without
harm. (boot id, sequence) orders reports of a device; (generation) orders those of a deployment.
"""

import enum
from dataclasses import dataclass

from shoal.contract.digest import Digest
from shoal.contract.profile import HardwareProfile


class Phase(enum.StrEnum):
    """Where a device stands with one assignment (design: section 6 point 2)."""

    PENDING = "Pending"
    FETCHING = "Fetching"
    PREFLIGHT = "Preflight"
    SOAKING = "Soaking"
    CONFIRMED = "Confirmed"
    FAILED = "Failed"
    REFUSED = "Refused"
    LOCAL_ROLLBACK = "LocalRollback"

    @property
    def terminal(self) -> bool:
        """Nothing follows under the same generation, except LocalRollback after Confirmed."""
        return self in _TERMINAL


_TERMINAL = frozenset({Phase.CONFIRMED, Phase.FAILED, Phase.REFUSED, Phase.LOCAL_ROLLBACK})


@dataclass(frozen=True, slots=True, kw_only=True)
class PreflightResult:
    """What the on-device check measured; latencies in milliseconds, memory in bytes.

    `agreement` is with the variant's own reference answers. `active_p95_ms` is None when nothing
    was active to compare with.
    """

    agreement: float
    p50_ms: float
    p95_ms: float
    active_p95_ms: float | None
    latency_ratio: float | None
    peak_memory_bytes: int
    load_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldenAnswers:
    """Predicted classes on the labelled golden set, in its row order; -1 where there is no answer.

    `candidate` comes from the switched engine during its soak, `active` from the variant that was
    active before (empty in a first rollout: the source's own answers are the other side then).
    `golden` names the golden set by digest.
    """

    golden: Digest
    candidate: tuple[int, ...]
    active: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentReport:
    """One deployment on one device.

    `running` and `running_generation` say what serves now, whatever `phase` says of the newest
    accepted assignment (`generation`). `good_inferences` and `errors` count since the switch.
    `previous` is the variant in the previous slot: its files need not be fetched again.
    """

    deployment: str
    generation: int
    revision: int
    phase: Phase
    variant: Digest
    reason: str = ""
    message: str = ""
    running: Digest | None = None
    running_generation: int = 0
    running_revision: int = 0
    running_model: str = ""
    good_inferences: int = 0
    errors: int = 0
    restarts: int = 0
    fetched_bytes: int = 0
    preflight: PreflightResult | None = None
    golden: GoldenAnswers | None = None
    previous: Digest | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialResult:
    """What a scout found; `result` is None where the variant did not get so far as figures.

    `reason` is empty where it was measured.
    """

    key: str
    result: PreflightResult | None = None
    reason: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceReport:
    """Everything a device observes of itself; `scouts`: whether it takes trials now."""

    device: str
    boot_id: str
    sequence: int
    agent_version: str
    desired_version: int
    hardware: HardwareProfile
    deployments: tuple[DeploymentReport, ...] = ()
    serving_url: str = ""
    spool_windows: int = 0
    link: str = "grpc"
    trials: tuple[TrialResult, ...] = ()
    scouts: bool = False
