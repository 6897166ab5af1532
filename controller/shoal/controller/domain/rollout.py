"""The planner's memory of one deployment: everything it must not forget between two passes.

The record is the one truth of what devices were told; desired states are written from it. It has a
JSON form (`shoal.contract.jsonform`), is replaced whole under compare-and-swap, and is bounded.
"""

import enum
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from shoal.contract import jsonform
from shoal.contract.budget import Budget
from shoal.contract.digest import Digest
from shoal.contract.limits import REVISIONS_KEPT
from shoal.contract.profile import ProfileClass
from shoal.controller.domain.evidence import Ballot, GateVerdict
from shoal.controller.domain.fleet import CohortId
from shoal.controller.domain.revisions import Origin, Revision, kept
from shoal.controller.domain.strategy import Ppm


class Verb(enum.StrEnum):
    """What an operator may ask of a rollout."""

    PAUSE = "pause"
    RESUME = "resume"
    ABORT = "abort"
    PROMOTE = "promote"
    RETRY = "retry"
    UNDO = "undo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """An abort, an undo or a full promote that the next pass carries out, and who asked for it."""

    verb: Verb
    to_revision: int | None
    asked_at: float
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """The newest inputs that a revision was started from, or that were given up.

    A revision starts when the deployment's generation, or for a following deployment the newest
    ready model revision, is beyond these.
    """

    generation: int = 0
    model_revision: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A pause by Shoal, and why."""

    reason: str
    message: str
    since: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What the rollout waits for in its ordinary course."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """A digest that failed in one cohort and is not chosen there again until retried by hand.

    `lifted_by` is who retried it, and `lifted_at` when; it stays in the record, and counts again
    only when it fails again.
    """

    cohort: CohortId
    digest: Digest
    revision: int
    reason: str
    message: str = ""
    at: float = 0.0
    lifted_by: str = ""
    lifted_at: float | None = None

    @property
    def holds(self) -> bool:
        """Whether the digest may not be chosen."""
        return self.lifted_at is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """How many devices one pass told, for the rate."""

    at: float
    devices: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a device is to run under this deployment: the content of its assignment.

    `max_latency_ratio` is for preflight's comparison with the active variant; None leaves it out.
    """

    revision: int
    model: str
    model_revision: int
    cohort: CohortId
    profile_class: ProfileClass
    budget: Budget
    variant: Digest
    soak_s: float
    max_latency_ratio: float | None
    shadow_ppm: Ppm = Ppm(0)  # noqa: RUF009 - a number
    shadow_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRecord:
    """One device under this deployment.

    `told` is what it was last told, None after a withdrawal; `generation` numbers the telling and
    only grows. `since` is when its time began to run: when it was told, or when it came back;
    `returns` counts how often it did. `confirmed` latches until another digest is seen running.
    `waived` takes a failure out of the counts after a promote. After a retry, `again` asks to tell
    it anew, and `regroup` to choose its cohort anew. `doubted` says that what it ran when it was
    told may never have been proven.
    """

    device: str
    generation: int
    told: Target | None
    since: float = 0.0
    lost: bool = False
    returns: int = 0
    confirmed: bool = False
    waived: bool = False
    again: bool = False
    regroup: bool = False
    doubted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortProgress:
    """How far one cohort is in the current revision.

    `step` counts falls in its frozen list, `wave` is the wave it is in (-1 before the first),
    `finished_at` when all its reachable devices in it had finished. `done` means past the last
    wave; `reverted` that a failure took this cohort alone back; `waived` the wave whose judgement
    a promote skips. `returning` cohorts get content that was complete before: no waves, no gates.
    `canary` cohorts have one device in their wave until that has proven itself: no earlier wave
    picked any of them. `alpha_share` is the number of cohorts that alpha was split over at the
    start, `alpha_turn` the place of what began after it, a joining or a fall (0: it was there).
    `live` says whether live evidence may decide here, and `base_rate` the share of requests that
    failed before the rollout; both are fixed at the first look, None until then. A promote asks to
    `pardon` the incidents so far: of the devices that the next pass then notes as `pardoned`, until
    they are told anew.
    """

    cohort: CohortId
    step: int = 0
    wave: int = -1
    finished_at: float | None = None
    done: bool = False
    reverted: bool = False
    returning: bool = False
    canary: bool = False
    waived: int | None = None
    alpha_share: int = 1
    alpha_turn: int = 0
    ballots: tuple[Ballot, ...] = ()
    verdicts: tuple[GateVerdict, ...] = ()
    live: bool | None = None
    base_rate: float | None = None
    pardon: bool = False
    pardoned: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The furthest the rollout got, and when: the progress deadline runs from it."""

    mark: tuple[int, ...] = ()
    at: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutRecord:
    """Everything persisted for one deployment (`namespace/name`).

    `strayed` are devices whose class or budget is another than that of the cohort in which they got
    the current revision: they keep their variant until a retry or the next revision.
    """

    deployment: str
    revisions: tuple[Revision, ...] = ()
    wave: int = -1
    cohorts: tuple[CohortProgress, ...] = ()
    devices: tuple[DeviceRecord, ...] = ()
    taken: Taken = Taken()
    suspended: str = ""
    paused_at: float | None = None
    paused_by: str = ""
    hold: Hold | None = None
    waiting: Waiting | None = None
    approved_wave: int | None = None
    intent: Intent | None = None
    quarantine: tuple[Quarantined, ...] = ()
    progress: Progress = Progress()
    bursts: tuple[Burst, ...] = ()
    strayed: tuple[str, ...] = ()

    @property
    def set_aside(self) -> frozenset[tuple[CohortId, Digest]]:
        """The digests in quarantine, each with its cohort."""
        return frozenset((one.cohort, one.digest) for one in self.quarantine if one.holds)

    @property
    def next_alpha_turn(self) -> int:
        """The turn of the cohort that joins or falls next in this rollout."""
        return max((one.alpha_turn for one in self.cohorts), default=0) + 1

    @property
    def current(self) -> Revision | None:
        """The newest revision: what devices are led to unless it was given up."""
        return self.revisions[-1] if self.revisions else None

    @property
    def given_up(self) -> Revision | None:
        """The revision that the current one leads back from, where nobody asked for an undo."""
        current = self.current
        if current is None or current.origin is not Origin.ROLLBACK:
            return None
        before = [one for one in self.revisions if one.number < current.number]
        return before[-1] if before and before[-1].result.tombstone else None

    @property
    def going(self) -> Revision:
        """The current revision where there must be one.

        Raises:
            RuntimeError: there is none; asking was our own mistake.
        """
        if self.current is None:
            raise RuntimeError(f"{self.deployment} has no revision")
        return self.current

    def revision(self, number: int) -> Revision | None:
        """The revision with this number, if it is still kept."""
        return next((one for one in self.revisions if one.number == number), None)

    def device(self, name: str) -> DeviceRecord | None:
        """What is known of one device."""
        return next((one for one in self.devices if one.device == name), None)

    def cohort(self, cohort: CohortId) -> CohortProgress | None:
        """How far one cohort is."""
        return next((one for one in self.cohorts if one.cohort == cohort), None)

    def with_revision(self, revision: Revision) -> "RolloutRecord":
        """The record with this revision replaced or appended; the oldest beyond the limit go."""
        others = (one for one in self.revisions if one.number != revision.number)
        known = sorted((*others, revision), key=lambda one: one.number)
        return replace(self, revisions=kept(known, REVISIONS_KEPT))

    def with_current(self, **changes: Any) -> "RolloutRecord":
        """The record with fields of the current revision replaced."""
        return self.with_revision(replace(self.going, **changes))

    def with_cohort(self, progress: CohortProgress) -> "RolloutRecord":
        """The record with this cohort's progress replaced or added."""
        others = tuple(one for one in self.cohorts if one.cohort != progress.cohort)
        return replace(self, cohorts=tuple(sorted((*others, progress), key=lambda one: one.cohort)))

    def map_devices(self, change: Callable[[DeviceRecord], DeviceRecord]) -> "RolloutRecord":
        """The record with every device changed."""
        return replace(self, devices=tuple(change(one) for one in self.devices))


def record_to_json(record: RolloutRecord) -> dict[str, Any]:
    """The record as it is stored."""
    data: dict[str, Any] = jsonform.to_json(record)
    return data


def record_from_json(data: dict[str, Any]) -> RolloutRecord:
    """The stored record.

    Raises:
        ValueError: the data is not a record.
    """
    return jsonform.from_json(RolloutRecord, data)
