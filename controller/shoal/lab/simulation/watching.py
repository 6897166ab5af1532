"""A run for a person to watch: what happens, line by line, in as much time as one wants."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, fields

from shoal.agent.core.lives import State
from shoal.lab.simulation.actions import Action, Wait
from shoal.lab.simulation.device import SimulatedDevice
from shoal.lab.simulation.fleet import DEPLOYMENT
from shoal.lab.simulation.simulation import Simulation

GLYPHS = {
    State.PENDING: ".",
    State.FETCHING: "v",
    State.PREFLIGHT: "?",
    State.LOADING: "+",
    State.SWITCHING: ">",
    State.SOAKING: "~",
    State.CONFIRMED: "o",
    State.FAILED: "x",
    State.REFUSED: "r",
    State.LOCAL_ROLLBACK: "b",
    State.REMOVING: "-",
}
LEGEND = "  ".join(f"{glyph} {state.value}" for state, glyph in GLYPHS.items()) + "  ! off  / cut"


@dataclass(slots=True)
class Watch:
    """Says what changed; `speed` is simulated seconds in one second, 0 as fast as it goes."""

    simulation: Simulation
    say: Callable[[str], None]
    speed: float = 0.0
    _start_s: float = 0.0
    _began_s: float = field(default_factory=time.monotonic)
    _shown: dict[str, str] = field(default_factory=dict)

    def begin(self) -> None:
        """Look after everything that happens from now on."""
        self._start_s = self.simulation.timeline.now()
        before = self.simulation.timeline.after_each

        def look() -> None:
            before()
            self._wait()
            self._look()

        self.simulation.timeline.after_each = look
        self.say(LEGEND)

    def happens(self, action: Action) -> None:
        """Say what is about to happen."""
        if not isinstance(action, Wait):
            parts = [f"{one.name}={getattr(action, one.name)}" for one in fields(action)]
            self._line(f"* {type(action).__name__} {' '.join(parts)}")

    def _look(self) -> None:
        for change in self.simulation.store.happened():
            spec = change["spec"]
            self._line(f"{spec['type'].lower()} {spec['reason']}: {spec['message']}")
        record = self.simulation.record()
        current = record.current
        if current is not None:
            standing = record.hold or record.waiting
            why = f" ({standing.reason}: {standing.message})" if standing else ""
            paused = " paused" if record.paused_at is not None else ""
            self._once("rollout", f"revision {current.number} is {current.result}{paused}{why}")
        row = "".join(self._glyph(one) for one in self.simulation.devices.values())
        self._once("fleet", f"[{row}]")

    def _glyph(self, device: SimulatedDevice) -> str:
        if not device.up:
            return "!"
        if not self.simulation.network.reaches(device.name):
            return "/"
        life = device.context.life(DEPLOYMENT)
        return " " if life is None else GLYPHS[life.state]

    def _once(self, what: str, text: str) -> None:
        if self._shown.get(what) != text:
            self._shown[what] = text
            self._line(text)

    def _line(self, text: str) -> None:
        self.say(f"{self.simulation.timeline.now() - self._start_s:8.1f} s  {text}")

    def _wait(self) -> None:
        if self.speed:
            due_s = (self.simulation.timeline.now() - self._start_s) / self.speed
            time.sleep(max(0.0, due_s - (time.monotonic() - self._began_s)))
