"""A supervisor on in-memory ports that outlive it."""

import asyncio
import contextlib
import json
import random
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shoal.agent.state_folder import StateFolder
from shoal.agent.supervisor import Parts, Place, Supervisor
from shoal.contract.assignment import Artifact, Assignment, DesiredState
from shoal.contract.profile import HardwareProfile
from shoal.contract.report import DeploymentReport, Phase
from shoal.contract.telemetry import TelemetryWindow
from tests.unit.agent_core.builders import an_assignment
from tests.unit.agent_core.memory import (
    MemoryBenchmark,
    MemoryEngine,
    MemoryLink,
    MemoryProber,
    QuickClock,
)
from tests.unit.agent_core.memory_disk import MemoryDisk

DEADLINE_S = 20.0
STATE = Path("/state")
HARDWARE = HardwareProfile(
    arch="x86_64",
    cpu="test",
    cores=2,
    memory_bytes=1 << 30,
    disk_free_bytes=1 << 30,
    isa=(),
    engines=(),
    providers=(),
)


@dataclass
class Device:
    """One agent's ports; they outlive the supervisor that runs on them."""

    disk: MemoryDisk = field(default_factory=MemoryDisk)
    link: MemoryLink = field(default_factory=MemoryLink)
    prober: MemoryProber = field(default_factory=MemoryProber)
    benchmark: MemoryBenchmark = field(default_factory=MemoryBenchmark)
    engine: MemoryEngine = field(default_factory=MemoryEngine)
    boots: int = 0

    def offer(self, *variants: str) -> None:
        """Let the controller hold the artifacts of these variants."""
        for variant in variants:
            for artifact in an_assignment(variant).artifacts:
                self.link.artifacts[artifact.digest] = content_of(artifact)

    def desire(self, version: int, *assignments: Assignment) -> None:
        self.link.states.put_nowait(
            DesiredState(
                device="one",
                version=version,
                assignments=tuple(sized(one) for one in assignments),
                telemetry_window_s=2.0,
                heartbeat_s=5.0,
            )
        )

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Supervisor]:
        self.boots += 1
        supervisor = Supervisor(
            Place(
                folder=StateFolder(root=STATE),
                device="one",
                namespace="default",
                boot_id=f"boot-{self.boots}",
                agent_version="0.1.0",
                hardware=HARDWARE,
                link_name="grpc",
                serving_url="http://127.0.0.1:1",
            ),
            Parts(
                link=self.link,
                prober=self.prober,
                benchmark=self.benchmark,
                disk=self.disk,
                clock=QuickClock(),
                rng=random.Random(0),
            ),
            self._made,
        )
        task = asyncio.create_task(supervisor.run())
        try:
            yield supervisor
            assert not task.done(), task.exception()
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def _made(
        self, on_window: Callable[[TelemetryWindow], None], on_exit: Callable[[int], None]
    ) -> MemoryEngine:
        self.engine.on_window, self.engine.on_exit = on_window, on_exit
        return self.engine

    def reported(self) -> DeploymentReport | None:
        if not self.link.reports or not self.link.reports[-1].deployments:
            return None
        return self.link.reports[-1].deployments[0]

    async def until(self, phase: Phase, generation: int) -> DeploymentReport:
        await until(lambda: said(self.reported(), phase, generation))
        report = self.reported()
        assert report is not None
        return report

    def status(self) -> dict[str, Any]:
        path = STATE / "status.json"
        if self.disk.size(path) is None:
            return {"deployments": [], "spool_windows": 0}
        found: dict[str, Any] = json.loads(self.disk.read(path))
        return found

    def phase(self) -> str:
        """Of the only deployment, as the device itself says."""
        return next((str(one["phase"]) for one in self.status()["deployments"]), "")


def said(report: DeploymentReport | None, phase: Phase, generation: int) -> bool:
    return report is not None and (report.phase, report.generation) == (phase, generation)


def content_of(artifact: Artifact) -> bytes:
    """What `world.blob` made the digest of."""
    return artifact.name.encode()


def sized(assignment: Assignment) -> Assignment:
    artifacts = tuple(
        Artifact(
            role=one.role,
            name=one.name,
            digest=one.digest,
            size_bytes=len(content_of(one)),
        )
        for one in assignment.artifacts
    )
    return Assignment(
        deployment=assignment.deployment,
        model=assignment.model,
        revision=assignment.revision,
        generation=assignment.generation,
        variant=assignment.variant,
        artifacts=artifacts,
        soak_s=assignment.soak_s,
    )


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110 - whatever the supervisor does is waited for
            await asyncio.sleep(0)


def run(scenario: Callable[[Device], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        device = Device()
        device.offer("a", "b")
        await scenario(device)

    asyncio.run(main())
