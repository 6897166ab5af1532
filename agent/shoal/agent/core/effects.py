"""What the core asks to be done, as values; the executor runs them and feeds the answers back.

`ticket` comes back with the answer. `after_s` is the upper end of a random wait before the effect
(full jitter). An effect without a ticket has no answer.
"""

from dataclasses import dataclass

from shoal.agent.core.lives import Slot
from shoal.contract.assignment import Artifact, Assignment
from shoal.contract.digest import Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """Say which artifacts are missing on disk. Answer: Surveyed."""

    deployment: str
    ticket: int
    artifacts: tuple[Artifact, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetch:
    """Fetch, verify and stage artifacts, resuming partial ones. Answer: Fetched, FetchFailed."""

    deployment: str
    ticket: int
    artifacts: tuple[Artifact, ...]
    after_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """Prove the candidate beside what is active. Answer: Probed, ProbeFailed."""

    deployment: str
    ticket: int
    assignment: Assignment
    active: Digest | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Load and warm the candidate beside the active slot. Answer: Loaded, LoadFailed."""

    deployment: str
    ticket: int
    slot: Slot
    after_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Activate:
    """Move the engine's pointer to the loaded candidate. Answer: Activated, LoadFailed."""

    deployment: str
    ticket: int
    slot: Slot


@dataclass(frozen=True, slots=True, kw_only=True)
class Observe:
    """Ask the engine how the active slot does. Answer: Observed, ObserveFailed.

    `wait_s` passes first, exactly; with `golden` the golden rows are answered too.
    """

    deployment: str
    ticket: int
    slot: Slot
    golden: Digest | None
    wait_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Restore:
    """Load a slot and make it the active one. Answer: Restored, RestoreFailed."""

    deployment: str
    ticket: int
    slot: Slot
    after_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Remove:
    """Drop everything of a deployment from the engine. Answer: Removed."""

    deployment: str
    ticket: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Discard:
    """Drop a loaded candidate from the engine."""

    deployment: str
    generation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """Make the deployment's slot links on disk say this; None removes a link."""

    deployment: str
    current: Digest | None
    previous: Digest | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Collect:
    """Remove blobs and partial files that `lives.referenced` does not name, at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """Stop the effect with this ticket; its answer is no longer wanted."""

    deployment: str
    ticket: int


Answered = Survey | Fetch | Probe | Load | Activate | Observe | Restore | Remove
Effect = Answered | Discard | Point | Collect | Cancel
