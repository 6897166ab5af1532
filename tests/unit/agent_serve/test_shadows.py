"""The variant before answers a share of live requests too, and nobody waits for it."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shoal.agent.core.ports import SlotSpec
from shoal.agent.serve.answering import Answering
from shoal.agent.serve.engine import Engine
from shoal.agent.serve.loader import Loader
from shoal.agent.serve.slots import Slots
from shoal.contract import digest
from shoal.contract.telemetry import TelemetryWindow
from tests.unit.agent_serve import models

DEPLOYMENT = "default/reader"
BODY = json.dumps(
    {
        "id": "one",
        "inputs": [
            {"name": "x", "datatype": "FP32", "shape": [1, 4], "data": [0.0, 0.0, 0.0, 0.0]}
        ],
    }
).encode()


class Device:
    """An engine with what answers on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.slots = Slots()
        self.engine = Engine(self.slots, Loader())
        self.answering = Answering(self.slots, ThreadPoolExecutor(1), self.engine.shadow)

    async def switch(
        self, generation: int, answer: int, batch: int | str = "n", **changes: Any
    ) -> None:
        """Serve a model that always answers so."""
        path = models.always(self.folder / f"{generation}.onnx", answer, batch)
        spec = SlotSpec(
            deployment=DEPLOYMENT,
            model="digits",
            generation=generation,
            variant=digest.of_file(path),
            path=path,
        )
        await self.engine.load(replace(spec, **changes))
        await self.engine.activate(DEPLOYMENT, generation)

    async def infer(self, request: str = "one") -> None:
        body = BODY.replace(b'"one"', f'"{request}"'.encode())
        await self.answering.infer("digits", "", body, None)

    async def shadowed(self, request: str = "one") -> None:
        """One request, and wait until the shadow has answered it too."""
        await self.infer(request)
        shadow = self.engine.shadow(DEPLOYMENT)
        assert shadow is not None
        await shadow.idle()

    async def alone(self) -> None:
        """Wait until the shadow has gone by itself."""
        async with asyncio.timeout(10):
            while self.engine.shadow(DEPLOYMENT) is not None:  # noqa: ASYNC110 - it has no event
                await asyncio.sleep(0)

    def window(self, rss_bytes: int = 7) -> TelemetryWindow:
        return next(iter(self.engine.cut_windows(rss_bytes)))


def play(folder: Path, story: Callable[[Device], Awaitable[None]]) -> None:
    async def run() -> None:
        await story(Device(folder))

    asyncio.run(run())


def test_the_variant_before_answers_its_share(tmp_path: Path) -> None:
    async def story(device: Device) -> None:
        await device.switch(1, answer=1)
        await device.switch(2, answer=2, shadow_share=0.5, shadow_s=60.0)
        for _ in range(8):
            await device.shadowed()
        window = device.window()
        assert (window.requests, window.shadowed, window.shadow_differed) == (8, 4, 4)
        assert window.classes == ((2, 8),)
        assert window.rss_bytes == 0  # two models share the memory

    play(tmp_path, story)


def test_labels_pair_what_both_answered(tmp_path: Path) -> None:
    async def story(device: Device) -> None:
        await device.switch(1, answer=1)
        await device.switch(2, answer=2, shadow_share=1.0, shadow_s=60.0)
        for request, label in (("a", 1), ("b", 2), ("c", 0)):
            await device.shadowed(request)
            device.answering.feedback.label("digits", request, label)
        window = device.window()
        assert (window.paired, window.paired_worse, window.paired_better) == (3, 1, 1)

    play(tmp_path, story)


def test_without_a_share_the_variant_before_goes_at_once(tmp_path: Path) -> None:
    async def story(device: Device) -> None:
        await device.switch(1, answer=1)
        old = device.slots.active(DEPLOYMENT)
        await device.switch(2, answer=2, shadow_s=60.0)
        assert device.engine.shadow(DEPLOYMENT) is None
        with pytest.raises(RuntimeError):
            _ = old.session
        assert device.window().rss_bytes == 7

    play(tmp_path, story)


def test_the_same_variant_again_has_no_shadow(tmp_path: Path) -> None:
    async def story(device: Device) -> None:
        await device.switch(1, answer=1)
        again = device.slots.active(DEPLOYMENT).spec.variant
        await device.switch(2, answer=1, variant=again, shadow_share=1.0, shadow_s=60.0)
        assert device.engine.shadow(DEPLOYMENT) is None

    play(tmp_path, story)


def test_a_shadow_goes_after_its_time_and_with_the_next_switch(tmp_path: Path) -> None:
    async def story(device: Device) -> None:
        await device.switch(1, answer=1)
        old = device.slots.active(DEPLOYMENT)
        await device.switch(2, answer=2, shadow_share=1.0, shadow_s=0.0)
        await device.alone()
        await device.infer()
        await device.switch(3, answer=0, shadow_share=1.0, shadow_s=60.0)
        await device.switch(4, answer=1)
        assert device.engine.shadow(DEPLOYMENT) is None
        with pytest.raises(RuntimeError):
            _ = old.session

    play(tmp_path, story)


def test_a_removed_deployment_takes_its_shadow_along(tmp_path: Path) -> None:
    async def story(device: Device) -> None:
        await device.switch(1, answer=1)
        await device.switch(2, answer=2, shadow_share=1.0, shadow_s=60.0)
        await device.engine.remove(DEPLOYMENT)
        assert device.engine.shadow(DEPLOYMENT) is None

    play(tmp_path, story)


def test_a_shadow_that_cannot_answer_goes_and_the_request_is_served(tmp_path: Path) -> None:
    async def story(device: Device) -> None:
        await device.switch(1, answer=1, batch=1)
        await device.switch(2, answer=2, shadow_share=1.0, shadow_s=60.0)
        body = BODY.replace(b"[1, 4]", b"[2, 4]").replace(b"0.0, 0.0", b"0.0, 0.0, 0.0, 0.0")
        await device.answering.infer("digits", "", body, None)
        await device.alone()
        window = device.window()
        assert (window.requests, window.errors, window.shadowed) == (1, 0, 0)

    play(tmp_path, story)
