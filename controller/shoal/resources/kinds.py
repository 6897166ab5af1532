"""The kinds by name."""

from shoal.contract.problem import InvalidError, Problem
from shoal.contract.reason import Reason
from shoal.resources.base import Resource
from shoal.resources.deployment import Deployment
from shoal.resources.device import Device
from shoal.resources.model import Model
from shoal.resources.profile import DeviceProfile
from shoal.resources.words import suggestion
from shoal.resources.written import Event, Variant

KINDS: dict[str, type[Resource]] = {
    "Device": Device,
    "DeviceProfile": DeviceProfile,
    "Model": Model,
    "Deployment": Deployment,
    "Variant": Variant,
    "Event": Event,
}
WRITTEN_BY_PEOPLE = ("Device", "DeviceProfile", "Model", "Deployment")


def find_kind(name: str) -> str:
    """The kind that `name` means, in any case, singular or plural.

    Raises:
        InvalidError: there is no such kind (UnknownKind); the hint says the nearest.
    """
    by_name = {kind.lower(): kind for kind in KINDS} | {f"{k.lower()}s": k for k in KINDS}
    if found := by_name.get(name.lower()):
        return found
    raise InvalidError(
        Problem(
            reason=Reason.UNKNOWN_KIND,
            message=f"there is no kind {name!r}",
            field="kind",
            hint=suggestion(name, KINDS),
        )
    )
