"""What can happen to the agent, as values.

Answers to effects carry the deployment and the ticket of the effect they answer.
"""

from dataclasses import dataclass

from shoal.contract.assignment import Artifact, Assignment, DesiredState
from shoal.contract.reason import Reason
from shoal.contract.report import PreflightResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Desired:
    """The controller said what this device should run."""

    state: DesiredState


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineExited:
    """The engine process ended without being asked to; the next one has empty slots."""

    returncode: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledged:
    """The controller has stored the golden answers of this generation."""

    deployment: str
    generation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """Inferences of the active slot since its switch."""

    deployment: str
    good: int
    errors: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Assigned:
    """A higher generation of one deployment was accepted."""

    assignment: Assignment


@dataclass(frozen=True, slots=True, kw_only=True)
class Unassigned:
    """A deployment is absent from the desired state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surveyed:
    """Answers Survey: what is missing on disk and what would fit.

    `missing_bytes` leaves out what partial files already hold.
    """

    deployment: str
    ticket: int
    missing: tuple[Artifact, ...]
    missing_bytes: int
    free_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """Answers Fetch: every artifact is complete, verified and durable."""

    deployment: str
    ticket: int
    received_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchFailed:
    """Answers Fetch: it broke off after `received_bytes` more bytes."""

    deployment: str
    ticket: int
    reason: Reason
    message: str
    received_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """Answers Probe: the candidate passed."""

    deployment: str
    ticket: int
    result: PreflightResult
    active_answers: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeFailed:
    """Answers Probe: the candidate did not pass."""

    deployment: str
    ticket: int
    reason: Reason
    message: str
    result: PreflightResult | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """Answers Load: the candidate is warm beside the active slot."""

    deployment: str
    ticket: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadFailed:
    """Answers Load or Activate: the candidate does not serve."""

    deployment: str
    ticket: int
    reason: Reason
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Activated:
    """Answers Activate: the pointer has moved."""

    deployment: str
    ticket: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """Answers Observe: counts since the switch, and golden answers where they were asked for."""

    deployment: str
    ticket: int
    good: int
    errors: int
    answers: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserveFailed:
    """Answers Observe: the engine did not answer."""

    deployment: str
    ticket: int
    reason: Reason
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """Answers Remove: the engine holds nothing of the deployment."""

    deployment: str
    ticket: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """Answers Restore: the slot serves again."""

    deployment: str
    ticket: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreFailed:
    """Answers Restore: the slot does not serve."""

    deployment: str
    ticket: int
    reason: Reason
    message: str


InstallAnswer = (
    Surveyed
    | Fetched
    | FetchFailed
    | Probed
    | ProbeFailed
    | Loaded
    | LoadFailed
    | Activated
    | Observed
    | ObserveFailed
    | Removed
)
RestoreAnswer = Restored | RestoreFailed
LifeEvent = Assigned | Unassigned | InstallAnswer
Event = Desired | EngineExited | Acknowledged | Counted | InstallAnswer | RestoreAnswer
