"""The status of a DeviceProfile: who has it."""

from pydantic import Field

from shoal.resources.base import Status
from shoal.resources.statuses.shared import Plain


class DeviceProfileStatus(Status, Plain):
    """How many devices have the profile, and of which classes they are."""

    members: int = Field(default=0, description="Devices that have it, of all that match.")
    profile_classes: list[str] = Field(
        default_factory=list,
        alias="profileClasses",
        description="The classes of those that have told their hardware, sorted; each is searched "
        "for apart.",
    )
