"""How operators stand to a device: whether it may join, and whether it may have work.

Kept beside spec and status in the record of a Device, under the key `standing`; a record without it
is that of an ordinary approved device.

    state    approve    revoke    drain
    Pending  Approved   Revoked   Pending, drained
    Approved Approved   Revoked   Approved, drained
    Revoked  refused    Revoked   refused

Approving a drained device gives it work again. A revoked device stays revoked: its credentials are
gone, and a machine that is to come back is deleted and enrolled anew.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from shoal.contract import jsonform

KEY = "standing"


class Approval(enum.StrEnum):
    """Whether the device may be part of the fleet."""

    APPROVED = "Approved"
    PENDING = "Pending"
    REVOKED = "Revoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What operators decided; `by` and `since` (RFC 3339) are of the last decision."""

    approval: Approval = Approval.APPROVED
    drained: bool = False
    by: str = ""
    since: str = ""

    @property
    def admitted(self) -> bool:
        """Whether deployments may select the device."""
        return self.approval is Approval.APPROVED and not self.drained

    def approved(self) -> "Standing":
        """Part of the fleet, and free to have work."""
        return replace(self, approval=Approval.APPROVED, drained=False)

    def revoked(self) -> "Standing":
        """Out of the fleet for good."""
        return replace(self, approval=Approval.REVOKED)

    def emptied(self) -> "Standing":
        """Without work until it is approved again."""
        return replace(self, drained=True)


def of(data: Mapping[str, Any]) -> Standing:
    """The standing in the data of a Device's record.

    A drain ends with the suspension that it began, whoever lifts that.
    """
    found = jsonform.from_json(Standing, data.get(KEY) or {})
    suspended = bool((data.get("spec") or {}).get("suspended"))
    return replace(found, drained=found.drained and suspended)
