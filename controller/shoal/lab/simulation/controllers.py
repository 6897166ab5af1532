"""One controller or two over one store: who leads, who takes over, and what a deposed one does."""

from shoal.lab.simulation.controller import Controller, Surroundings
from shoal.lab.simulation.laws import BrokenLawError

TAKEOVER_S = 1.0  # until the other one notices that nobody leads


class Controllers:
    """Every controller takes reports and verbs; one leads, which is to run the passes."""

    def __init__(self, around: Surroundings, replicas: int) -> None:
        self._around = around
        self._all = [Controller(f"controller-{i}", around) for i in range(replicas)]
        self._leader = self._all[0]
        self.takeovers = 0
        self.refused = 0  # commits of deposed leaders

    def boot(self) -> None:
        """Start all of them; the first one leads."""
        for one in self._all:
            one.boot()
        self._leader.lead()

    @property
    def leader(self) -> Controller:
        """The one that runs the passes, or ran them last."""
        return self._leader

    @property
    def open(self) -> Controller | None:
        """One that answers devices and operators; a frozen one does not."""
        if self._leader.up and not self._leader.halted:
            return self._leader
        return next((one for one in self._all if one.up and not one.halted), None)

    @property
    def passes(self) -> int:
        """How many passes were run."""
        return sum(one.passes for one in self._all)

    def poke(self) -> None:
        """Something was written."""
        for one in self._all:
            if one.up:
                one.poke()

    def crash(self, seconds: float) -> None:
        """Kill the leader; it comes back after so long."""
        fallen = self._leader
        if fallen.up:
            fallen.crash()
            self._around.timeline.later(seconds, lambda: self._reboot(fallen))
            self._around.timeline.later(TAKEOVER_S, lambda: self._take_over(fallen))

    def freeze(self, seconds: float) -> None:
        """Stop the leader between a decision and its commit; it goes on after so long."""
        frozen = self._leader
        if frozen.up and not frozen.halted:
            frozen.halt()
            self._around.timeline.later(seconds, lambda: self._thaw(frozen))
            self._around.timeline.later(seconds / 2, lambda: self._take_over(frozen))

    def calm(self) -> None:
        """Everybody is up, nobody is frozen, every clock is right."""
        for one in self._all:
            one.clock.ahead_s = 0.0
            self._thaw(one)
            self._reboot(one)

    def _reboot(self, one: Controller) -> None:
        if not one.up:
            one.boot()
            if one is self._leader:
                one.lead()

    def _take_over(self, silent: Controller) -> None:
        """Another one leads, where the leader is gone or frozen and there is another one."""
        if self._leader is not silent or (silent.up and not silent.halted):
            return
        heir = next((one for one in self._all if one.up and one is not silent), None)
        if heir is not None:
            self._leader = heir
            self.takeovers += 1
            heir.lead()

    def _thaw(self, frozen: Controller) -> None:
        """What the frozen one decided is written now, unless somebody decided since (I9)."""
        store = self._around.store
        before = store.decided
        deposed = store.decided_by == self._leader.name and frozen.halted_at < before
        deposed = deposed and self._leader is not frozen
        frozen.leads = self._leader is frozen
        written = frozen.go_on()
        if deposed and store.decided != before:
            raise BrokenLawError(f"law 6: {frozen.name} was deposed and still decides")
        self.refused += deposed and not written
        frozen.poke()
