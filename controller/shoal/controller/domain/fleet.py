"""Devices as the planner sees them: where they belong, whether they speak, what they say.

Cohorts are decided by what a device can do and may cost, never by the name of its profile.
"""

import enum
import functools
import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import NewType

from shoal.contract.budget import Budget
from shoal.contract.profile import ProfileClass
from shoal.contract.report import DeploymentReport
from shoal.contract.windows import Window
from shoal.controller.domain.incidents import Incident

CohortId = NewType("CohortId", str)
Labels = tuple[tuple[str, str], ...]


class Reach(enum.StrEnum):
    """How recently a device was heard; late ones are still waited for, lost ones are a debt."""

    REACHABLE = "reachable"
    LATE = "late"
    LOST = "lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortKey:
    """Devices with the same profile class and the same budget share a variant.

    `profile` is the name to show; two profiles with one budget in one class are one cohort. Where a
    deployment judges the values of labels apart, `labels` are those of this cohort.
    """

    profile_class: ProfileClass
    budget: Budget
    profile: str = field(compare=False)
    labels: Labels = ()

    @property
    def id(self) -> CohortId:
        """A short stable name for records: the class and eight digits of the budget's hash."""
        return CohortId(f"{self.profile_class}-{_short_hash(self.budget, self.labels)}")


@functools.lru_cache(maxsize=1024)
def _short_hash(budget: Budget, labels: Labels) -> str:
    form = {**asdict(budget), "labels": labels} if labels else asdict(budget)
    text = json.dumps(form, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:8]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceView:
    """One device at the moment of the snapshot.

    `cohort` is None until the device has told its hardware. `report` is what it last said of this
    deployment, None when it never did. `ready` means that it serves and could be missed.
    `selected` is whether the deployment's selector picks it now. `labels` are those that the
    deployment's strategy names. A `suspended` device is told nothing new, and one with a `window`
    of its own only while that is open. `incidents` are the last that the controller learned of, and
    `switched_at` is when it was first seen running what it runs.
    """

    name: str
    cohort: CohortKey | None
    reach: Reach = Reach.REACHABLE
    ready: bool = True
    selected: bool = True
    report: DeploymentReport | None = None
    labels: Labels = ()
    suspended: bool = False
    window: Window | None = None
    incidents: tuple[Incident, ...] = ()
    switched_at: float = 0.0

    @property
    def lost(self) -> bool:
        """Whether nothing can be expected from it now."""
        return self.reach is Reach.LOST
