"""Desired state: what one device should run now.

A device is always given the latest approved state, whole; nothing is queued. What is absent from it
is to be removed. `generation` is per (device, deployment) and never decreases (design: I4).
"""

import enum
from dataclasses import dataclass

from shoal.contract.budget import Budget
from shoal.contract.digest import Digest


class ArtifactRole(enum.StrEnum):
    """What a file is for on the device."""

    MODEL = "model"  # the variant itself
    GOLDEN = "golden"  # npz: one array an input, rows first; `y` labels where there are any
    REFERENCE = (
        "reference"  # npz: `answers` (class per golden row) and `outputs` of the variant itself
    )
    ASSET = "asset"  # a small file that travels unchanged


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """One content-addressed file of an assignment."""

    role: ArtifactRole
    name: str
    digest: Digest
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Preflight:
    """The limits that the on-device check applies before a switch.

    `max_latency_ratio` compares the candidate's p95 with the active variant's, interleaved; None
    leaves it out. `min_agreement` is with the variant's own reference answers.
    """

    budget: Budget = Budget()  # noqa: RUF009 - frozen, so one for all is safe
    max_latency_ratio: float | None = None
    min_agreement: float = 0.99


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """One deployment's variant for one device.

    `deployment` is `namespace/name`. `soak_s` seconds after the switch with at least
    `min_inferences` good inferences, or one whole pass of the golden set, make it confirmed.
    `output` names the model output that holds the answer; empty means the first. For `shadow_s`
    seconds after the switch the variant before answers `shadow_share` of the requests too.
    """

    deployment: str
    model: str
    revision: int
    generation: int
    variant: Digest
    artifacts: tuple[Artifact, ...]
    engine: str = "onnxruntime"
    providers: tuple[str, ...] = ("CPUExecutionProvider",)
    threads: int = 1
    output: str = ""
    soak_s: float = 30.0
    min_inferences: int = 30
    preflight: Preflight = Preflight()
    shadow_share: float = 0.0
    shadow_s: float = 0.0

    def artifact(self, role: ArtifactRole) -> Artifact | None:
        """The first artifact with this role."""
        return next((one for one in self.artifacts if one.role is role), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A variant that a scout measures beside what it runs, and never activates.

    `assignment` says how it would be run; its generation and limits mean nothing.
    """

    key: str
    assignment: Assignment


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredState:
    """Everything one device should run, and how often it should speak.

    `version` grows with every change for this device, so that a late copy is recognised. `trials`
    are for when there is time; one that is absent is to be forgotten, result and all.
    """

    device: str
    version: int
    assignments: tuple[Assignment, ...] = ()
    telemetry_window_s: float = 10.0
    heartbeat_s: float = 30.0
    trials: tuple[Trial, ...] = ()
