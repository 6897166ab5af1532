"""The orders of the supervisor, carried out: load, activate, discard, remove, golden, counters.

The life of a slot: built and warmed in the loader thread → candidate → active by one assignment →
drained → dropped in the loader thread. Nothing that serves ever waits for any of it.
"""

from collections import deque
from collections.abc import Iterator
from pathlib import Path

from shoal.agent.core.ports import Counters, LoadedSlot, SlotSpec, Switched
from shoal.agent.errors import EngineError
from shoal.agent.serve import golden
from shoal.agent.serve.loader import Loader
from shoal.agent.serve.recorder import Recorder
from shoal.agent.serve.sessions import Session, SessionOptions
from shoal.agent.serve.shadows import Shadow
from shoal.agent.serve.slots import Slot, Slots
from shoal.contract.reason import Reason
from shoal.contract.telemetry import TelemetryWindow

# Slots that served before and may still get labels; their requests are forgotten sooner than that.
RETIRED_KEPT = 64


class Engine:
    """The engine's side of the port `shoal.agent.core.ports.Engine`; one event loop only."""

    def __init__(self, slots: Slots, loader: Loader) -> None:
        self._slots = slots
        self._loader = loader
        self._retired: deque[Recorder] = deque(maxlen=RETIRED_KEPT)
        self._shadows: dict[str, Shadow] = {}

    def expect(self, *, coming: bool) -> None:
        """Whether slots that served in the process before are not here yet."""
        self._slots.coming = coming

    async def load(self, spec: SlotSpec) -> LoadedSlot:
        """Load and warm a candidate beside the active slot; loading it again replaces it.

        Raises:
            EngineError: LOAD_FAILED, or CONFLICT where another deployment serves the model.
        """
        self._slots.check(spec)
        session, cost_s = await self._loader.run(lambda: _build(spec))
        load_s = session.load_s
        slot = Slot(spec, session, cost_s)
        del session  # the slot's is the one reference, so that dropping it frees the memory
        if replaced := self._slots.stage(slot):
            await self._drop(replaced)
        return LoadedSlot(
            deployment=spec.deployment, generation=spec.generation, load_ms=load_s * 1000
        )

    async def activate(self, deployment: str, generation: int) -> Switched:
        """Move the pointer; return when the old slot has drained and gone.

        Raises:
            EngineError: NOT_FOUND, there is no such candidate.
        """
        switched, old = self._slots.switch(deployment, generation)
        await self._end_shadow(deployment)
        if old is None:
            return switched
        spec = self._slots.active(deployment).spec
        if spec.shadow_share > 0 and spec.variant != old.spec.variant:
            self._retired.append(old.recorder)
            shadow = Shadow(old, self._loader, lambda: self._end_shadow(deployment))
            shadow.keep(spec.shadow_s)
            self._shadows[deployment] = shadow
        else:
            await self._retire(old)
        return switched

    def shadow(self, deployment: str) -> Shadow | None:
        """The variant before, where it still answers some requests."""
        return self._shadows.get(deployment)

    async def discard(self, deployment: str, generation: int) -> None:
        """Drop a candidate, if it is there."""
        if candidate := self._slots.unstage(deployment, generation):
            await self._drop(candidate)

    async def remove(self, deployment: str) -> None:
        """Drop everything of a deployment."""
        await self._end_shadow(deployment)
        for slot in self._slots.remove(deployment):
            await self._retire(slot)

    async def golden(self, deployment: str, generation: int, path: Path) -> tuple[int, ...]:
        """The active slot's answer on every golden row, at the loader's low priority.

        Raises:
            EngineError: NOT_FOUND, another generation is active; BAD_DATA, the set does not fit.
        """
        slot = self._slots.active(deployment)
        if slot.spec.generation != generation:
            raise EngineError(
                Reason.NOT_FOUND,
                f"{deployment} serves generation {slot.spec.generation}, not {generation}",
            )
        with slot:
            return await self._loader.run(lambda: _golden_answers(slot.session, path))

    async def counters(self, deployment: str) -> Counters:
        """Inferences of the active slot since its switch.

        Raises:
            EngineError: NOT_FOUND, nothing is active.
        """
        recorder = self._slots.active(deployment).recorder
        return Counters(good=recorder.good, errors=recorder.errors)

    def cut_windows(self, rss_bytes: int) -> Iterator[TelemetryWindow]:
        """Close every open window: those of active slots, and others' where labels came late.

        While a shadow shares the process, its memory says nothing of the variant that serves.
        """
        rss_bytes = 0 if self._shadows else rss_bytes
        for endpoint in self._slots:
            if endpoint.active is not None:
                yield endpoint.active.recorder.cut(rss_bytes)
        for recorder in self._retired:
            if not recorder.idle:
                yield recorder.cut(rss_bytes)

    async def _end_shadow(self, deployment: str) -> None:
        shadow = self._shadows.pop(deployment, None)
        if shadow is not None:
            slot = await shadow.end()
            await slot.drained()
            await self._drop(slot)

    async def _retire(self, slot: Slot) -> None:
        self._retired.append(slot.recorder)
        await slot.drained()
        await self._drop(slot)

    async def _drop(self, slot: Slot) -> None:
        await self._loader.drop(slot.take_session())


def _build(spec: SlotSpec) -> tuple[Session, float]:
    options = SessionOptions(providers=spec.providers, threads=spec.threads, output=spec.output)
    session = Session(spec.path, options)
    return session, session.warm_up()


def _golden_answers(session: Session, path: Path) -> tuple[int, ...]:
    try:
        rows = golden.Golden(golden.read(path), session)
        return golden.classes(golden.outputs(session, rows))
    except EngineError:
        raise
    except Exception as error:
        raise EngineError(Reason.BAD_DATA, f"the golden set did not run: {error}") from error
