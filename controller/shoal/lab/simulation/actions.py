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
    full: bool = False


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
class SetDeviceClock:
    """A device's clock jumps."""

    index: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Enrol:
    """A device of this size joins the fleet."""

    size: str


@dataclass(frozen=True, slots=True)
class Relabel:
    """An operator gives a device another size, or takes it out of the deployment, or back in."""

    index: int
    size: str
    selected: bool


@dataclass(frozen=True, slots=True)
class Suspend:
    """An operator lets a device have nothing new, or no work at all, or lets it have work again."""

    index: int
    suspended: bool
    drained: bool = False


@dataclass(frozen=True, slots=True)
class Blackout:
    """Most devices cannot be reached for so long."""

    seconds: float


@dataclass(frozen=True, slots=True)
class StallDevice:
    """Whatever a device begins takes at least so long; it goes on to speak."""

    index: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Delete:
    """The operator deletes the deployment and applies it anew after so long."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Rival:
    """For so long there is an older deployment of the same model for some of the devices."""

    seconds: float


@dataclass(frozen=True, slots=True)
class CrashController:
    """The controller that leads is killed and comes back after so long.

    Where there are two, the other one takes over.
    """

    seconds: float


@dataclass(frozen=True, slots=True)
class FreezeController:
    """The controller that leads stops in the middle of its next pass, decided but not written.

    It goes on after so long; where there are two, the other one has taken over by then.
    """

    seconds: float


@dataclass(frozen=True, slots=True)
class SetControllerClock:
    """The clock of the controller that leads jumps."""

    seconds: float


Action = (
    Wait
    | Publish
    | Ask
    | EditSpec
    | CrashDevice
    | KillEngine
    | CutDevice
    | SetDeviceClock
    | Enrol
    | Relabel
    | Suspend
    | Blackout
    | StallDevice
    | Delete
    | Rival
    | CrashController
    | FreezeController
    | SetControllerClock
)
