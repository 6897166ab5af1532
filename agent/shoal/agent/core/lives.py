"""What the agent knows, as values: a life for each deployment, and the device around them.

This is the live form; what survives a restart is `saved.py`. A life holds at most one outstanding
effect of its install (`Install.ticket`) and one of its serving slot (`restore`); answers under any
other ticket are late or repeated and change nothing.
"""

import enum
from dataclasses import dataclass, replace

from shoal.contract.assignment import ArtifactRole, Assignment
from shoal.contract.digest import Digest
from shoal.contract.report import Phase, PreflightResult

BAD_AFTER_STARTS = 3  # design section 7: three failed starts of a slot mark its digest bad
STARTS_KEPT = 64  # I5: digests whose failed starts are remembered, newest last


class State(enum.StrEnum):
    """Where the newest accepted assignment of a deployment stands."""

    PENDING = "Pending"  # accepted; the disk is being looked at
    FETCHING = "Fetching"  # missing artifacts arrive, are verified and staged
    PREFLIGHT = "Preflight"  # a child proves the candidate
    LOADING = "Loading"  # the candidate is loaded and warmed beside the active slot
    SWITCHING = "Switching"  # the pointer moves; nothing interrupts this
    SOAKING = "Soaking"  # it serves and is watched
    CONFIRMED = "Confirmed"
    FAILED = "Failed"
    REFUSED = "Refused"
    LOCAL_ROLLBACK = "LocalRollback"
    REMOVING = "Removing"  # no longer assigned

    @property
    def phase(self) -> Phase | None:
        """What the controller is told; None where the deployment is no longer spoken of."""
        return _PHASES[self]


_PHASES = {
    State.PENDING: Phase.PENDING,
    State.FETCHING: Phase.FETCHING,
    State.PREFLIGHT: Phase.PREFLIGHT,
    State.LOADING: Phase.PREFLIGHT,
    State.SWITCHING: Phase.PREFLIGHT,
    State.SOAKING: Phase.SOAKING,
    State.CONFIRMED: Phase.CONFIRMED,
    State.FAILED: Phase.FAILED,
    State.REFUSED: Phase.REFUSED,
    State.LOCAL_ROLLBACK: Phase.LOCAL_ROLLBACK,
    State.REMOVING: None,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One variant that serves or may serve again.

    `loaded_as` is the generation under which the engine knows it: it stays when a newer assignment
    names the digest that serves already. `since` is when the pointer moved to it.
    """

    assignment: Assignment
    loaded_as: int
    confirmed: bool = False
    since: float = 0.0

    @property
    def variant(self) -> Digest:
        """The digest of its model file."""
        return self.assignment.variant

    @property
    def generation(self) -> int:
        """The assignment that it answers for."""
        return self.assignment.generation


@dataclass(frozen=True, slots=True, kw_only=True)
class Install:
    """What has come of one assignment so far; begins anew with every generation.

    `active_answers` are the golden answers of the variant that served before, from preflight;
    `candidate_answers` those of the switched engine, None until it was asked.
    """

    ticket: int = 0
    attempts: int = 0
    strikes: int = 0
    reason: str = ""
    message: str = ""
    preflight: PreflightResult | None = None
    active_answers: tuple[int, ...] = ()
    candidate_answers: tuple[int, ...] | None = None
    reconfirming: bool = False
    acknowledged: bool = False
    soak_start: float = 0.0
    good: int = 0
    errors: int = 0
    restarts: int = 0
    fetched_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """How often a digest failed to start."""

    digest: Digest
    failures: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """One deployment on this device.

    `up` says that the engine has the active slot; `successor` and `leaving` wait for the end of a
    switch or of a removal; `issued` is the last ticket handed out.
    """

    deployment: str
    state: State
    assignment: Assignment
    install: Install = Install()
    active: Slot | None = None
    previous: Slot | None = None
    up: bool = False
    restore: int = 0
    successor: Assignment | None = None
    leaving: bool = False
    starts: tuple[Start, ...] = ()
    issued: int = 0

    @property
    def newest_generation(self) -> int:
        """The highest generation accepted so far (I4)."""
        newest = self.assignment if self.successor is None else self.successor
        return newest.generation

    @property
    def candidate(self) -> Slot:
        """The slot that the present assignment is to become."""
        return Slot(assignment=self.assignment, loaded_as=self.assignment.generation)

    @property
    def running(self) -> Slot | None:
        """What serves, or will in a moment; not a slot that keeps failing to come back."""
        if self.active is None or self.up or not self.is_bad(self.active.variant):
            return self.active
        return None

    @property
    def fallback(self) -> Slot | None:
        """The confirmed slot that can take over; None where that would be the same bytes."""
        if self.previous is None or self.active is None:
            return self.previous
        return None if self.previous.variant == self.active.variant else self.previous

    def failures(self, digest: Digest) -> int:
        """How often `digest` failed to start since it last proved itself."""
        return next((start.failures for start in self.starts if start.digest == digest), 0)

    def is_bad(self, digest: Digest) -> bool:
        """Whether `digest` is not to be started again."""
        return self.failures(digest) >= BAD_AFTER_STARTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The device: its lives by deployment, sorted, and what it was last told.

    `exits` are the times of recent unexpected ends of the engine that no candidate explains.
    """

    lives: tuple[Life, ...] = ()
    desired_version: int = 0
    telemetry_window_s: float = 10.0
    heartbeat_s: float = 30.0
    exits: tuple[float, ...] = ()
    issued: int = 0

    @property
    def idle(self) -> bool:
        """Whether nothing is installed, brought back or removed at this moment."""
        phases = (life.state.phase for life in self.lives)
        settled = all(phase is not None and phase.terminal for phase in phases)
        return settled and all(life.restore == 0 for life in self.lives)

    def life(self, deployment: str) -> Life | None:
        """The life of a deployment, None where it has none here."""
        return next((life for life in self.lives if life.deployment == deployment), None)

    def with_life(self, life: Life) -> "Context":
        """The same with this life in its place."""
        others = [one for one in self.lives if one.deployment != life.deployment]
        lives = tuple(sorted([*others, life], key=lambda one: one.deployment))
        return replace(self, lives=lives, issued=max(self.issued, life.issued))

    def without(self, deployment: str) -> "Context":
        """The same without this deployment."""
        return replace(self, lives=tuple(x for x in self.lives if x.deployment != deployment))


def golden_of(assignment: Assignment) -> Digest | None:
    """The golden set that travels with an assignment."""
    golden = assignment.artifact(ArtifactRole.GOLDEN)
    return None if golden is None else golden.digest


def serves_alike(one: Assignment, other: Assignment) -> bool:
    """Whether the engine would do the same for both, so that no switch is needed."""
    return _serving(one) == _serving(other)


def _serving(one: Assignment) -> tuple[object, ...]:
    assets = tuple(file for file in one.artifacts if file.role is ArtifactRole.ASSET)
    return (one.variant, one.model, one.engine, one.providers, one.threads, one.output, assets)


def referenced(context: Context) -> frozenset[Digest]:
    """Every digest that must stay on disk (I2): of assignments, active and previous slots."""
    digests: set[Digest] = set()
    for life in context.lives:
        slots = [slot.assignment for slot in (life.active, life.previous) if slot is not None]
        later = [] if life.successor is None else [life.successor]
        for assignment in [life.assignment, *slots, *later]:
            digests.add(assignment.variant)
            digests.update(artifact.digest for artifact in assignment.artifacts)
    return frozenset(digests)
