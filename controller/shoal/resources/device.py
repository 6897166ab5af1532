"""Device: one machine of the fleet. Enrolment creates it; people label it."""

from typing import ClassVar, Literal

from pydantic import Field

from shoal.resources.base import Document, Resource


class DeviceSpec(Document):
    """What people ask of a device; its labels are in metadata."""

    later_fields: ClassVar[tuple[str, ...]] = ("profile", "maintenanceWindow", "suspended")


class Device(Resource):
    """One machine of the fleet, created by its enrolment."""

    kind: Literal["Device"] = Field(description="The kind.")
    spec: DeviceSpec = Field(default_factory=DeviceSpec, description="What people ask of it.")
