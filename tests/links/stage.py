"""A controller's device side with real sockets and brokers, and devices that talk to it."""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shoal.agent.core.ports import Link
from shoal.agent.link.enrol import EnrolmentRequest, enrol
from shoal.agent.link.factory import LinkKind, open_link
from shoal.agent.link.identity import Identity
from shoal.contract import jsonform
from shoal.contract.assignment import Artifact, ArtifactRole, Assignment
from shoal.contract.digest import Digest
from shoal.contract.profile import HardwareProfile
from shoal.controller.domain import tokens
from shoal.controller.domain.tokens import JoinToken
from shoal.controller.link.authority import Authority
from shoal.controller.link.plane import PlanePorts
from shoal.controller.link.service import Links, LinkSettings, start_links
from shoal.controller.store.blobs import Blobs
from shoal.controller.store.memory import MemoryStore, MemoryTelemetry
from shoal.controller.store.port import Put, Record

DEADLINE_S = 40.0
POLL_S = 0.01
HARDWARE = HardwareProfile(
    arch="x86_64",
    cpu="test",
    cores=2,
    memory_bytes=1 << 30,
    disk_free_bytes=1 << 30,
    isa=("avx2",),
    engines=(("onnxruntime", "1.31.1"),),
    providers=("CPUExecutionProvider",),
)


@dataclass(frozen=True)
class Transport:
    """How the devices of a test reach the controller: the values of `--link` and `--mqtt`."""

    link: LinkKind
    mqtt: str


TRANSPORTS = {
    "grpc": Transport(LinkKind.GRPC, "off"),
    "mqtt-mosquitto": Transport(LinkKind.MQTT, "mosquitto"),
    "mqtt-embedded": Transport(LinkKind.MQTT, "embedded"),
    "auto-embedded": Transport(LinkKind.AUTO, "embedded"),
}


@dataclass
class Side:
    """A controller's device side; it can be stopped and started again on the same ports."""

    data: Path
    mqtt: str
    store: MemoryStore = field(default_factory=MemoryStore)
    telemetry: MemoryTelemetry = field(default_factory=MemoryTelemetry)
    listen: str = "127.0.0.1:0"
    mqtt_listen: str = "127.0.0.1:0"
    version: int = 0
    now: Callable[[], float] = time.time
    _links: Links | None = None

    def __post_init__(self) -> None:
        self.blobs = Blobs(self.data)

    @property
    def links(self) -> Links:
        assert self._links is not None
        return self._links

    async def start(self) -> None:
        ports = PlanePorts(
            store=self.store,
            telemetry=self.telemetry,
            blobs=self.blobs,
            authority=Authority.open(self.data / "ca"),
            now=self.now,
        )
        settings = LinkSettings(
            listen=self.listen, mqtt=self.mqtt, mqtt_listen=self.mqtt_listen, data=self.data
        )
        self._links = await start_links(ports, settings)
        self.listen = str(self._links.grpc_address)
        self.mqtt_listen = str(self._links.mqtt_address or self.mqtt_listen)

    async def stop(self) -> None:
        if self._links is not None:
            await self._links.close()
            self._links = None

    async def token(self, **changes: Any) -> str:
        token = tokens.new_token()
        stored: dict[str, Any] = {"expires_ms": int(self.now() * 1000) + 60_000, "uses": 1}
        await self.store.commit(
            [
                Put(
                    kind=tokens.KIND,
                    namespace="",
                    name=tokens.record_name(token),
                    data=jsonform.to_json(JoinToken(**({"labels": {}} | stored | changes))),
                    expected=None,
                )
            ]
        )
        return token

    async def enrol(self, name: str, **changes: Any) -> Identity:
        wanted: dict[str, Any] = {
            "server": self.listen,
            "state": self.data / "devices" / (name or "unnamed"),
            "hardware": HARDWARE,
            "agent_version": "0.1.0",
            "name": name,
        }
        if "token" not in changes:
            changes["token"] = await self.token()
        return await enrol(EnrolmentRequest(**(wanted | changes)))

    async def assign(self, device: str, *digests: Digest) -> None:
        """Make these artifacts the device's desired state."""
        self.version += 1
        place = ("Assignment", "default", device)
        data = {
            "version": self.version,
            "deployments": {
                f"default/d{i}": jsonform.to_json(an_assignment(f"default/d{i}", one, self.version))
                for i, one in enumerate(digests)
            },
            "telemetry_window_s": 1.0,
            "heartbeat_s": 2.0,
        }
        known = await self.record(*place)
        kind, namespace, name = place
        await self.store.commit(
            [
                Put(
                    kind=kind,
                    namespace=namespace,
                    name=name,
                    data=data,
                    expected=known.resource_version if known else None,
                )
            ]
        )

    async def record(self, kind: str, namespace: str, name: str) -> Record | None:
        found = (await self.store.list(kind, namespace)).records
        return next((one for one in found if one.name == name), None)

    async def blob(self, size: int) -> tuple[Digest, bytes]:
        content = random.Random(size).randbytes(size)
        path = self.data / "blob.bin"
        path.write_bytes(content)
        return await self.blobs.put_file(path), content


def an_assignment(deployment: str, digest: Digest, generation: int) -> Assignment:
    return Assignment(
        deployment=deployment,
        model="digits",
        revision=1,
        generation=generation,
        variant=digest,
        artifacts=(Artifact(role=ArtifactRole.MODEL, name="m.onnx", digest=digest, size_bytes=1),),
    )


class Stage:
    """Runs one scenario in its own event loop, with a deadline, and cleans up after it."""

    def __init__(self, data: Path) -> None:
        self.data = data

    def run(self, scenario: Callable[["Stage"], Coroutine[Any, Any, None]]) -> None:
        async def bounded() -> None:
            async with asyncio.timeout(DEADLINE_S):
                await scenario(self)

        asyncio.run(bounded())

    @contextlib.asynccontextmanager
    async def side(self, mqtt: str, **changes: Any) -> AsyncIterator[Side]:
        side = Side(data=self.data, mqtt=mqtt, **changes)
        await side.start()
        try:
            yield side
        finally:
            await side.stop()

    @contextlib.asynccontextmanager
    async def link(self, kind: LinkKind, identity: Identity) -> AsyncIterator[Link]:
        link = open_link(kind, identity, random.Random(1))
        try:
            yield link
        finally:
            await link.close()


async def until(condition: Callable[[], Any]) -> None:
    """Return once the condition holds; the stage's deadline ends a vain wait."""
    while not condition():  # noqa: ASYNC110 - what is waited for tells nobody
        await asyncio.sleep(POLL_S)
