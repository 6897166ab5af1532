"""What may happen to a fleet: operators, model revisions, faults, and time."""

from dataclasses import dataclass

from shoal.controller.domain.rollout import Verb
from shoal.lab.simulation.models import Nature


@dataclass(frozen=True, slots=True)
class Wait:
    """Time passes."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Publish:
    """A model revision of this nature becomes ready."""

    nature: Nature


@dataclass(frozen=True, slots=True)
class Ask:
    """An operator's verb; one that is refused changes nothing."""

    verb: Verb
    follow: bool = False


@dataclass(frozen=True, slots=True)
class EditSpec:
    """The operator applies another soak."""

    soak_s: int


@dataclass(frozen=True, slots=True)
class CrashDevice:
    """A device loses power for so long."""

    index: int
    seconds: float


@dataclass(frozen=True, slots=True)
class KillEngine:
    """A device's engine dies."""

    index: int


@dataclass(frozen=True, slots=True)
class CutDevice:
    """A device cannot be reached for so long."""

    index: int
    seconds: float


@dataclass(frozen=True, slots=True)
class CrashController:
    """The controller is killed and comes back after so long."""

    seconds: float


Action = Wait | Publish | Ask | EditSpec | CrashDevice | KillEngine | CutDevice | CrashController
