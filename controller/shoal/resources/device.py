"""Device: one machine of the fleet. Enrolment creates it; people label it."""

from typing import Annotated, Literal

from pydantic import Field

from shoal.resources.base import Document, Resource, Unread
from shoal.resources.quantities import Name
from shoal.resources.statuses.device import DeviceStatus
from shoal.resources.window import MaintenanceWindow


class DeviceSpec(Document):
    """What people ask of a device; its labels are in metadata."""

    profile: Name | None = Field(
        default=None,
        description="The DeviceProfile it has, whatever selectors say; null: the one that matches.",
    )
    maintenance_window: MaintenanceWindow | None = Field(
        default=None,
        description="When this device may start to change, beside the window of its deployment.",
    )
    suspended: bool = Field(
        default=False,
        description="It keeps what it runs and is told nothing new; only what was given up is "
        "still taken back from it.",
    )


class Device(Resource):
    """One machine of the fleet, created by its enrolment."""

    kind: Literal["Device"] = Field(description="The kind.")
    spec: DeviceSpec = Field(default_factory=DeviceSpec, description="What people ask of it.")
    status: Annotated[DeviceStatus | None, Unread(DeviceStatus)] = Field(
        default=None,
        description="What is known of it, and what it runs; ignored when written by people.",
    )
