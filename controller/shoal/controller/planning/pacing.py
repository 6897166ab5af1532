"""When devices may be told something new: windows, suspensions, the rate, and maxDevices.

All of it is for what is new; a return to content that was complete skips it (design: section 6
point 10).
"""

import math
from dataclasses import replace
from datetime import UTC, datetime

from shoal.contract import windows
from shoal.contract.reason import Reason
from shoal.contract.windows import Window
from shoal.controller.domain.fleet import DeviceView
from shoal.controller.domain.outcomes import Outcome
from shoal.controller.domain.rollout import Burst, RolloutRecord
from shoal.controller.planning.decisions import Withheld
from shoal.controller.planning.view import View

MINUTE_S = 60.0


def withheld(view: View, device: DeviceView) -> Withheld | None:
    """Why the device may be told nothing new at this moment, if anything keeps it from that."""
    if view.returning and view.record.paused_at is not None:
        # A pause lets a return go on (guard 6); a cohort that joined it is no part of that.
        message = paused_message(view.record)
        return Withheld(device=device.name, reason=Reason.PAUSED, message=message)
    if device.suspended:
        return Withheld(device=device.name, reason=Reason.SUSPENDED, message="it is suspended")
    for window, whose in ((view.strategy.window, "the deployment"), (device.window, device.name)):
        if window is not None and not windows.is_open(window, view.now):
            return _closed(view.now, device, window, whose)
    return None


def paused_message(record: RolloutRecord) -> str:
    """Who keeps everything waiting."""
    return f"paused by {record.paused_by or 'an operator'}"


def startable(now: float, device: DeviceView) -> bool:
    """Whether nothing of the device's own keeps it from starting now."""
    return not device.suspended and (device.window is None or windows.is_open(device.window, now))


def left(view: View) -> float:
    """How many devices the rate still lets be told now; without a rate, infinitely many."""
    rate = view.strategy.rate
    if rate is None:
        return math.inf
    confirmed = sum(one.told and one.outcome is Outcome.CONFIRMED for one in view.members)
    lately = sum(one.devices for one in view.record.bursts if one.at > view.now - MINUTE_S)
    return max(rate.after(confirmed) - lately, 0)


def limited(view: View, device: DeviceView) -> Withheld:
    """What to say of a device that the rate keeps waiting."""
    frees = [one.at + MINUTE_S for one in view.record.bursts if one.at > view.now - MINUTE_S]
    return Withheld(
        device=device.name,
        reason=Reason.RATE_LIMITED,
        message="as many devices as the rate allows were told within the last minute",
        until=min(frees, default=None),
    )


def places(view: View) -> float:
    """How many devices that were told nothing yet maxDevices still lets be told."""
    most = view.strategy.max_devices
    if most is None:
        return math.inf
    return most - sum(one.known is not None and one.known.told is not None for one in view.members)


def crowded(view: View, device: DeviceView) -> Withheld:
    """What to say of a device that came when maxDevices was reached."""
    return Withheld(
        device=device.name,
        reason=Reason.TOO_MANY_DEVICES,
        message=f"maxDevices allows {view.strategy.max_devices}, and as many have been told",
    )


def counted(record: RolloutRecord, devices: int, now: float) -> RolloutRecord:
    """The record that remembers how many devices were told now; older than a minute is forgotten.

    Only the rate needs it, so nothing is written where there is none.
    """
    if devices == 0 or record.current is None or record.current.content.strategy.rate is None:
        return record
    recent = tuple(one for one in record.bursts if one.at > now - MINUTE_S)
    return replace(record, bursts=(*recent, Burst(at=now, devices=devices)))


def _closed(now: float, device: DeviceView, window: Window, whose: str) -> Withheld:
    opens = windows.opens_at(window, now)
    when = "never" if opens is None else f"at {datetime.fromtimestamp(opens, UTC):%Y-%m-%d %H:%M}Z"
    return Withheld(
        device=device.name,
        reason=Reason.OUTSIDE_WINDOW,
        message=f"the maintenance window of {whose} opens {when}",
        until=opens,
    )
