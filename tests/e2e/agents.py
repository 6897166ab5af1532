"""Real agents as processes, against the controller's real device side."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from shoal.contract import jsonform
from shoal.contract.assignment import Artifact, ArtifactRole, Assignment
from shoal.contract.report import DeploymentReport, DeviceReport, Phase
from shoal.contract.telemetry import TelemetryWindow
from shoal.controller.store.port import Put
from tests.links.stage import Side
from tests.unit.agent_serve import models

DEADLINE_S = 90.0
DEPLOYMENT = "default/reader"
MODEL = "digits"
GOLDEN_ROWS = 64
T = TypeVar("T")
PROGRAM = Path(sys.executable).with_name("shoal-agent")


@dataclass(kw_only=True)
class Agent:
    """One agent on its own state folder; its process may be killed and started again."""

    state: Path
    server: str
    token: str
    name: str
    serve: str = "127.0.0.1:0"
    process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *(str(PROGRAM), "run", "--state", str(self.state), "--link", "grpc"),
                *("--serve", self.serve, "--server", self.server, "--token", self.token),
                *("--name", self.name),
                stderr=log,
            )

    @property
    def log(self) -> Path:
        return self.state.with_suffix(".log")

    async def end(self, how: signal.Signals) -> int:
        assert self.process is not None
        self.process.send_signal(how)
        code = await self.process.wait()
        self.process = None
        return code

    def status(self) -> dict[str, Any]:
        """status.json, or nothing before the agent has written one."""
        try:
            found: dict[str, Any] = json.loads((self.state / "status.json").read_text())
        except FileNotFoundError:
            return {}
        return found

    def deployment(self) -> dict[str, Any]:
        found = self.status().get("deployments", ())
        return next((one for one in found if one["deployment"] == DEPLOYMENT), {})

    @property
    def url(self) -> str:
        return f"{self.status()['serving']}/v2/models/{MODEL}/infer"

    @property
    def engine_pid(self) -> int:
        return int(self.status()["engine_pid"])


@dataclass(kw_only=True)
class Fleet:
    """The controller's side, and the agents of a test."""

    side: Side
    folder: Path
    agents: list[Agent] = field(default_factory=list)

    async def agent(self, name: str, **changes: Any) -> Agent:
        agent = Agent(
            state=self.folder / name,
            server=self.side.listen,
            token=await self.side.token(),
            name=name,
            **changes,
        )
        self.agents.append(agent)
        await agent.start()
        return agent

    async def model(
        self, answer: int, *, generation: int, promises: int | None = None, **changes: Any
    ) -> Assignment:
        """A model that always gives one answer, with its golden set, ready to be fetched.

        Its reference answers are what it `promises`: its own unless a test says otherwise.
        """
        promised = answer if promises is None else promises
        path = models.always(self.folder / f"model-{answer}", answer)
        golden, reference = self.folder / "golden.npz", self.folder / f"reference-{answer}.npz"
        rng = np.random.default_rng(0)
        x = rng.random((GOLDEN_ROWS, models.FEATURES), dtype=np.float32)
        np.savez(golden, x=x, y=np.full(GOLDEN_ROWS, 1, np.int32))
        outputs = x.sum(axis=1, keepdims=True) + np.eye(models.CLASSES, dtype=np.float32)[promised]
        np.savez(reference, answers=np.full(GOLDEN_ROWS, promised, np.int32), outputs=outputs)
        artifacts = (
            await self._artifact(ArtifactRole.MODEL, path),
            await self._artifact(ArtifactRole.GOLDEN, golden),
            await self._artifact(ArtifactRole.REFERENCE, reference),
        )
        values: dict[str, Any] = {"soak_s": 0.5, "min_inferences": 1_000_000, **changes}
        return Assignment(
            deployment=DEPLOYMENT,
            model=MODEL,
            revision=generation,
            generation=generation,
            variant=artifacts[0].digest,
            artifacts=artifacts,
            **values,
        )

    async def _artifact(self, role: ArtifactRole, path: Path) -> Artifact:
        digest = await self.side.blobs.put_file(path)
        size_bytes = await asyncio.to_thread(os.path.getsize, path)
        return Artifact(role=role, name=path.name, digest=digest, size_bytes=size_bytes)

    async def assign(self, device: str, *assignments: Assignment) -> None:
        self.side.version += 1
        data = {
            "version": self.side.version,
            "deployments": {one.deployment: jsonform.to_json(one) for one in assignments},
            "telemetry_window_s": 0.5,
            "heartbeat_s": 1.0,
        }
        known = await self.side.record("Assignment", "default", device)
        expected = None if known is None else known.resource_version
        await self.side.store.commit(
            [
                Put(
                    kind="Assignment",
                    namespace="default",
                    name=device,
                    data=data,
                    expected=expected,
                )
            ]
        )

    async def reported(self, device: str) -> DeploymentReport | None:
        """What the controller knows of the deployment on a device."""
        record = await self.side.record("Observation", "default", device)
        if record is None:
            return None
        report = jsonform.from_json(DeviceReport, record.data["report"])
        return next((one for one in report.deployments if one.deployment == DEPLOYMENT), None)

    async def until_requests(self, deployment: str) -> TelemetryWindow:
        """The first telemetry window in which something was asked."""

        async def said() -> TelemetryWindow | None:
            windows = await self.side.telemetry.windows(deployment, 0)
            return next((one.window for one in windows if one.window.requests), None)

        return await until(said)

    async def until_reported(self, device: str, phase: Phase, generation: int) -> DeploymentReport:
        """The report that says so."""

        async def said() -> DeploymentReport | None:
            report = await self.reported(device)
            if report is None or (report.phase, report.generation) != (phase, generation):
                return None
            return report

        return await until(said)


async def until(condition: Callable[[], Awaitable[T | None]]) -> T:
    """The first thing that is not None, before the deadline."""
    async with asyncio.timeout(DEADLINE_S):
        while (found := await condition()) is None:  # noqa: ASYNC110 - in another process
            await asyncio.sleep(0.02)
    return found


def alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be reaped does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


async def until_true(condition: Callable[[], object]) -> None:
    """Return once the condition holds, before the deadline."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in another process
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def a_fleet(folder: Path) -> AsyncIterator[Fleet]:
    """A controller's device side; agents that are left at the end are killed."""
    side = Side(data=folder / "controller", mqtt="off")
    await side.start()
    fleet = Fleet(side=side, folder=folder)
    try:
        yield fleet
    finally:
        for agent in fleet.agents:
            if agent.process is not None and agent.process.returncode is None:
                await agent.end(signal.SIGKILL)
        await side.stop()
