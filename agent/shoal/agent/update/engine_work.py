"""Load, activate, restore, remove and observe: everything that the engine is asked."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from shoal.agent.core import events as ev
from shoal.agent.core.effects import Activate, Discard, Load, Observe, Remove, Restore
from shoal.agent.core.lives import Slot
from shoal.agent.core.ports import Engine, SlotSpec, Switched
from shoal.agent.errors import EngineError, StageError
from shoal.agent.update.blobs import BlobStore
from shoal.contract.assignment import ArtifactRole
from shoal.contract.reason import Reason

Feed = Callable[[ev.Event], None]
OnSwitch = Callable[[Slot, Switched], None]


class EngineWork:
    """The engine, asked one thing after the other, and only while a process is there.

    Whoever keeps the process says when it is `ready` to be asked and when it is `gone`. `on_switch`
    is told when a candidate takes the place of what served; a slot that comes back is no switch.
    """

    def __init__(self, engine: Engine, blobs: BlobStore, on_switch: OnSwitch) -> None:
        self._engine = engine
        self._blobs = blobs
        self._on_switch = on_switch
        self._turn = asyncio.Lock()
        self._ready = asyncio.Event()

    def ready(self) -> None:
        """A process with empty slots answers."""
        self._ready.set()

    def gone(self) -> None:
        """There is no process; questions wait for the next one."""
        self._ready.clear()

    async def work(self, effect: Load | Activate | Restore | Remove, feed: Feed) -> None:
        """Do it and feed the answer before anyone else has a turn.

        Else a restore that the answer makes stale could move the pointer back.
        """
        async with self._turn:
            await self._ready.wait()
            match effect:
                case Load():
                    feed(await self._load(effect))
                case Activate():
                    feed(await self._activate(effect))
                case Restore():
                    feed(await self._restore(effect))
                case Remove():
                    feed(await self._remove(effect))

    async def discard(self, effect: Discard) -> None:
        """Drop a candidate; one that died with its process is dropped already."""
        async with self._turn:
            try:
                await self._engine.discard(effect.deployment, effect.generation)
            except EngineError:
                return

    async def observe(self, effect: Observe) -> ev.Observed | ev.ObserveFailed:
        """Counts, and golden answers where they are wanted; does not hold up switches."""
        await self._ready.wait()
        try:
            answers = None
            if effect.golden is not None:
                path = self._blobs.path(effect.golden)
                generation = effect.slot.loaded_as
                answers = await self._engine.golden(effect.deployment, generation, path)
            counters = await self._engine.counters(effect.deployment)
        except EngineError as error:
            return ev.ObserveFailed(
                deployment=effect.deployment,
                ticket=effect.ticket,
                reason=error.reason,
                message=error.message,
            )
        return ev.Observed(
            deployment=effect.deployment,
            ticket=effect.ticket,
            good=counters.good,
            errors=counters.errors,
            answers=answers,
        )

    async def _load(self, effect: Load) -> ev.Loaded | ev.LoadFailed:
        try:
            await self._engine.load(self._spec(effect.slot))
        except EngineError as error:
            return _load_failed(effect, error)
        return ev.Loaded(deployment=effect.deployment, ticket=effect.ticket)

    async def _activate(self, effect: Activate) -> ev.Activated | ev.LoadFailed:
        try:
            switched = await self._engine.activate(effect.deployment, effect.slot.loaded_as)
        except EngineError as error:
            return _load_failed(effect, error)
        self._on_switch(effect.slot, switched)
        return ev.Activated(deployment=effect.deployment, ticket=effect.ticket)

    async def _restore(self, effect: Restore) -> ev.Restored | ev.RestoreFailed:
        try:
            await asyncio.to_thread(self._blobs.verify, effect.slot.variant)
            # What is given up must not answer beside what takes its place.
            await self._engine.load(replace(self._spec(effect.slot), shadow_share=0.0))
            await self._engine.activate(effect.deployment, effect.slot.loaded_as)
        except (EngineError, StageError) as error:
            return ev.RestoreFailed(
                deployment=effect.deployment,
                ticket=effect.ticket,
                reason=error.reason,
                message=error.message,
            )
        return ev.Restored(deployment=effect.deployment, ticket=effect.ticket)

    async def _remove(self, effect: Remove) -> ev.Removed:
        try:
            await self._engine.remove(effect.deployment)
        except EngineError as error:
            if error.reason is not Reason.CRASHED:
                raise
            # The process took the deployment with it.
        return ev.Removed(deployment=effect.deployment, ticket=effect.ticket)

    def _spec(self, slot: Slot) -> SlotSpec:
        assignment = slot.assignment
        return SlotSpec(
            deployment=assignment.deployment,
            model=assignment.model,
            generation=slot.loaded_as,
            variant=slot.variant,
            path=self._blobs.path(slot.variant),
            providers=assignment.providers,
            threads=assignment.threads,
            output=assignment.output,
            shadow_share=assignment.shadow_share,
            shadow_s=assignment.shadow_s,
            assets=tuple(
                (one.name, self._blobs.path(one.digest))
                for one in assignment.artifacts
                if one.role is ArtifactRole.ASSET
            ),
        )


def _load_failed(effect: Load | Activate, error: EngineError) -> ev.LoadFailed:
    return ev.LoadFailed(
        deployment=effect.deployment,
        ticket=effect.ticket,
        reason=error.reason,
        message=error.message,
    )
