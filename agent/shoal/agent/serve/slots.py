"""Slots: for each deployment the variant that serves, and one candidate loaded beside it.

Everything here runs on the event loop's thread; only sessions are made and dropped elsewhere. A
request pins the slot that it found, so a switch is one assignment: later requests see the new slot,
earlier ones end on the old one, and the old session goes when its last request has gone.
"""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from shoal.agent.core.ports import SlotSpec, Switched
from shoal.agent.errors import EngineError
from shoal.agent.serve.recorder import Recorder
from shoal.agent.serve.sessions import Session
from shoal.contract.reason import Reason

_SMOOTHING = 0.1  # weight of the newest run in the expected cost of the next one


class Slot:
    """One variant in memory, the requests that are inside it and what they have measured."""

    def __init__(self, spec: SlotSpec, session: Session, cost_s: float) -> None:
        self.spec = spec
        self.recorder = Recorder(spec.deployment, spec.variant, spec.generation)
        self._session: Session | None = session
        self._cost_s = cost_s
        self._pins = 0
        self._drained = asyncio.Event()
        self._drained.set()

    @property
    def session(self) -> Session:
        """The session; only of a slot that is active, a candidate or pinned."""
        if self._session is None:
            raise RuntimeError("the session of a retired slot was asked for")
        return self._session

    def __enter__(self) -> Self:
        self._pins += 1
        self._drained.clear()
        return self

    def __exit__(self, *_: object) -> None:
        self._pins -= 1
        if self._pins == 0:
            self._drained.set()

    async def drained(self) -> None:
        """Return when no request is inside any more."""
        await self._drained.wait()

    def take_session(self) -> list[Session]:
        """The session as the only reference left, for the thread that drops it."""
        taken = [] if self._session is None else [self._session]
        self._session = None
        return taken

    def expected_s(self, rows: int) -> float:
        """Seconds that an inference of so many rows is likely to take."""
        return self._cost_s * rows

    def observe(self, seconds: float, rows: int) -> None:
        """Learn from one inference; a batch of 8 in 4 ms counts as 0.5 ms a row."""
        self._cost_s += _SMOOTHING * (seconds / max(rows, 1) - self._cost_s)


@dataclass(slots=True)
class Endpoint:
    """One deployment as clients see it: a model name, and what stands behind it."""

    deployment: str
    model: str
    active: Slot | None = None
    candidate: Slot | None = None
    in_flight: int = 0  # requests of this model between their arrival and their answer


class Slots:
    """All endpoints of a device, by deployment and by model."""

    def __init__(self) -> None:
        self._endpoints: dict[str, Endpoint] = {}
        self.coming = False  # slots of the process before are still to come

    def __iter__(self) -> Iterator[Endpoint]:
        return iter(self._endpoints.values())

    @property
    def ready(self) -> bool:
        """Whether anything serves, or nothing is to; one more model on its way changes nothing."""
        idle = not self._endpoints and not self.coming
        return idle or any(one.active is not None for one in self)

    def of_model(self, model: str) -> Endpoint | None:
        """The endpoint that serves this model name."""
        return next((one for one in self if one.model == model), None)

    def check(self, spec: SlotSpec) -> None:
        """Refuse a model that another deployment serves: clients name models, not deployments.

        Raises:
            EngineError: CONFLICT, naming both.
        """
        other = self.of_model(spec.model)
        if other is not None and other.deployment != spec.deployment:
            raise EngineError(
                Reason.CONFLICT,
                f"model {spec.model!r} of {spec.deployment} is served by {other.deployment}",
            )

    def stage(self, slot: Slot) -> Slot | None:
        """Make `slot` its deployment's candidate; the candidate that it replaces, to be dropped."""
        spec = slot.spec
        self.check(spec)
        endpoint = self._endpoints.setdefault(
            spec.deployment, Endpoint(deployment=spec.deployment, model=spec.model)
        )
        replaced, endpoint.candidate = endpoint.candidate, slot
        return replaced

    def switch(self, deployment: str, generation: int) -> tuple[Switched, Slot | None]:
        """Move the pointer; when it moved, and the slot that served before.

        Raises:
            EngineError: NOT_FOUND, no such candidate.
        """
        endpoint = self._endpoints.get(deployment)
        if endpoint is None or (new := endpoint.candidate) is None:
            raise EngineError(Reason.NOT_FOUND, f"{deployment} has no candidate")
        if new.spec.generation != generation:
            raise EngineError(
                Reason.NOT_FOUND,
                f"{deployment} has candidate {new.spec.generation}, not {generation}",
            )
        old, endpoint.active, endpoint.candidate = endpoint.active, new, None
        endpoint.model = new.spec.model
        new.recorder.begin()
        return Switched(monotonic_s=time.monotonic(), in_flight=endpoint.in_flight), old

    def unstage(self, deployment: str, generation: int) -> Slot | None:
        """Take a candidate away; None where there is no such one."""
        endpoint = self._endpoints.get(deployment)
        if endpoint is None or (candidate := endpoint.candidate) is None:
            return None
        if candidate.spec.generation != generation:
            return None
        endpoint.candidate = None
        if endpoint.active is None:
            del self._endpoints[deployment]
        return candidate

    def remove(self, deployment: str) -> list[Slot]:
        """Take a deployment away; its slots, to be drained and dropped."""
        endpoint = self._endpoints.pop(deployment, None)
        if endpoint is None:
            return []
        return [slot for slot in (endpoint.active, endpoint.candidate) if slot is not None]

    def active(self, deployment: str) -> Slot:
        """The slot that serves a deployment.

        Raises:
            EngineError: NOT_FOUND, nothing serves it.
        """
        endpoint = self._endpoints.get(deployment)
        if endpoint is None or endpoint.active is None:
            raise EngineError(Reason.NOT_FOUND, f"{deployment} has no active slot")
        return endpoint.active
