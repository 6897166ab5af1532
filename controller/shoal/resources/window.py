"""Maintenance windows, of a Deployment and of a Device."""

from typing import Self

from pydantic import Field, model_validator

from shoal.contract import units, windows
from shoal.contract.reason import Reason
from shoal.contract.windows import Window
from shoal.resources.base import Document
from shoal.resources.quantities import Duration
from shoal.resources.words import refusal


class MaintenanceWindow(Document):
    """When devices may start to change; what has started may finish outside it."""

    cron: str = Field(
        max_length=120,
        description="When it opens: minute, hour, day, month, weekday, for example 0 2 * * SAT.",
    )
    duration: Duration = Field(description="How long it stays open, in real time.")
    time_zone: str = Field(
        default="UTC", max_length=64, description="Whose clock the cron line reads: Europe/Berlin."
    )

    @model_validator(mode="after")
    def _opens(self) -> Self:
        """A window that never opens would starve every rollout."""
        try:
            windows.checked(
                Window(
                    cron=self.cron,
                    duration_s=units.parse_duration_s(self.duration),
                    time_zone=self.time_zone,
                )
            )
        except ValueError as error:
            hint = "write for example {cron: 0 2 * * SAT, duration: 4h, timeZone: Europe/Berlin}"
            raise refusal(Reason.INVALID, str(error), hint) from None
        return self
