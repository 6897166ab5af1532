"""How many devices may be unavailable at once: in the deployment, and per value of a label.

25 % of 9 devices is 2, and never less than 1: a budget that no device fits would starve the
rollout. Lost devices count nowhere.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from shoal.contract.report import Phase
from shoal.controller.domain.fleet import DeviceView
from shoal.controller.domain.outcomes import Outcome
from shoal.controller.domain.strategy import Amount, Strategy
from shoal.controller.planning.view import Member, View


class Group(NamedTuple):
    """The devices with one value of a label; an empty label is the whole deployment."""

    label: str
    value: str

    def __str__(self) -> str:
        return f"{self.label}={self.value}" if self.label else "the deployment"


EVERYONE = Group(label="", value="")


def groups_of(strategy: Strategy, device: DeviceView) -> tuple[Group, ...]:
    """The groups whose budgets a device counts against; without the label it is one of `label=`."""
    if not strategy.max_unavailable_per:
        return (EVERYONE,)
    labels = dict(device.labels)
    named = (Group(one.label, labels.get(one.label, "")) for one in strategy.max_unavailable_per)
    return (EVERYONE, *named)


def starved(strategy: Strategy, devices: Sequence[DeviceView]) -> frozenset[Group]:
    """The groups in which devices that are not ready use up what may be unavailable."""
    down = [one for one in devices if not one.ready and not one.lost]
    if not down:
        return frozenset()
    missing = Counter(group for one in down for group in groups_of(strategy, one))
    limits = _limits(strategy, devices)
    return frozenset(group for group, count in missing.items() if count >= limits[group])


def unavailable(member: Member) -> bool:
    """Whether the device serves nobody, or may stop to at any moment; never so when lost."""
    if member.device.lost:
        return False
    return not member.device.ready or in_flight(member)


def in_flight(member: Member) -> bool:
    """Whether what it was told last has not come to an end, one way or the other."""
    known, report = member.known, member.device.report
    if known is None or known.told is None or known.confirmed:
        return False
    if report is None or report.generation != known.generation:
        return member.outcome is not Outcome.TIMED_OUT
    if report.phase.terminal:
        return False
    return report.phase is Phase.SOAKING or member.outcome is not Outcome.TIMED_OUT


def free(member: Member) -> bool:
    """Whether telling the device something makes none unavailable that was not so before."""
    return member.device.lost or unavailable(member)


class Room:
    """What the budgets leave for devices that are available now."""

    def __init__(self, view: View) -> None:
        devices = [one.device for one in view.members]
        self._strategy = view.strategy
        self._limits = _limits(view.strategy, devices)
        self._down = Counter[Group]()
        self.reserve(one for one in view.members if unavailable(one))

    def reserve(self, members: Iterable[Member]) -> None:
        """Count these as unavailable, whether there is room or not."""
        for member in members:
            self._down.update(groups_of(self._strategy, member.device))

    def release(self, members: Iterable[Member]) -> None:
        """Count these no longer, where they were unavailable for what they were told alone."""
        for member in members:
            if member.device.ready and unavailable(member):
                self._down.subtract(groups_of(self._strategy, member.device))

    def take(self, member: Member) -> Group | None:
        """Let the device become unavailable; or name the group that has no room for it."""
        groups = groups_of(self._strategy, member.device)
        full = next((one for one in groups if self._down[one] >= self._limits[one]), None)
        if full is None:
            self._down.update(groups)
        return full

    def limit(self, group: Group) -> int:
        """How many devices of the group may be unavailable."""
        return self._limits[group]


def _limits(strategy: Strategy, devices: Sequence[DeviceView]) -> dict[Group, int]:
    amounts: dict[str, Amount] = {EVERYONE.label: strategy.max_unavailable}
    amounts |= {one.label: one.amount for one in strategy.max_unavailable_per}
    sizes = Counter(group for one in devices for group in groups_of(strategy, one))
    sizes[EVERYONE] = len(devices)
    return {group: max(1, amounts[group.label].down(size)) for group, size in sizes.items()}
