"""The device plane over a store in memory, without a transport."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from shoal.contract import digest as digests
from shoal.contract import jsonform
from shoal.contract.assignment import Artifact, ArtifactRole, Assignment
from shoal.contract.digest import Digest
from shoal.contract.enrolment import EnrolRequest
from shoal.contract.histogram import Histogram
from shoal.contract.problem import ForbiddenError, InvalidError, NotFoundError
from shoal.contract.profile import HardwareProfile
from shoal.contract.report import DeviceReport
from shoal.contract.telemetry import TelemetryBatch, TelemetryWindow
from shoal.controller.domain import tokens
from shoal.controller.domain.tokens import JoinToken
from shoal.controller.link.authority import Authority
from shoal.controller.link.plane import DevicePlane, FetchRange, PlanePorts
from shoal.controller.store.blobs import Blobs
from shoal.controller.store.memory import MemoryStore, MemoryTelemetry
from shoal.controller.store.port import Delete, Put
from tests.unit.link.signing import a_signing_request

HARDWARE = HardwareProfile(
    arch="x86_64",
    cpu="",
    cores=1,
    memory_bytes=1,
    disk_free_bytes=1,
    isa=(),
    engines=(),
    providers=(),
)
OTHER = digests.of_bytes(b"other")


def a_report(device: str, sequence: int = 1) -> DeviceReport:
    return DeviceReport(
        device=device,
        boot_id="b",
        sequence=sequence,
        agent_version="0",
        desired_version=0,
        hardware=HARDWARE,
    )


class Room:
    """A plane with its ports, and what tests do to them."""

    def __init__(self, data: Path, store: MemoryStore | None = None) -> None:
        self.data = data
        self.store = store or MemoryStore()
        self.telemetry = MemoryTelemetry()
        self.blobs = Blobs(data)
        self.plane = DevicePlane(
            PlanePorts(
                store=self.store,
                telemetry=self.telemetry,
                blobs=self.blobs,
                authority=Authority.open(data / "ca"),
                now=time.time,
            )
        )

    async def enrol(self, name: str, csr_pem: bytes = b"") -> str:
        token = tokens.new_token()
        stored = JoinToken(expires_ms=round(time.time() * 1000) + 60_000, uses=1, labels={})
        await self.put(tokens.KIND, "", tokens.record_name(token), jsonform.to_json(stored))
        request = EnrolRequest(
            token=token,
            name=name,
            labels=(),
            csr_pem=csr_pem or a_signing_request(),
            hardware=HARDWARE,
            agent_version="0",
        )
        return (await self.plane.enrol(request)).secret

    async def assign(self, device: str, version: int, digest: Digest) -> None:
        artifact = Artifact(role=ArtifactRole.MODEL, name="m", digest=digest, size_bytes=1)
        assignment = Assignment(
            deployment="default/d",
            model="m",
            revision=1,
            generation=version,
            variant=digest,
            artifacts=(artifact,),
        )
        data = {
            "version": version,
            "deployments": {"default/d": jsonform.to_json(assignment)},
            "telemetry_window_s": 1.0,
            "heartbeat_s": 1.0,
        }
        await self.put("Assignment", "default", device, data)

    async def put(self, kind: str, namespace: str, name: str, data: dict[str, Any]) -> None:
        try:
            expected = (await self.store.get(kind, namespace, name)).resource_version
        except NotFoundError:
            expected = None
        write = Put(kind=kind, namespace=namespace, name=name, data=data, expected=expected)
        await self.store.commit([write])

    async def delete(self, kind: str, namespace: str, name: str) -> None:
        await self.store.commit([Delete(kind=kind, namespace=namespace, name=name, expected=None)])


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - what is waited for tells nobody
        await asyncio.sleep(0)


@asynccontextmanager
async def a_room(data: Path, store: MemoryStore | None = None) -> AsyncIterator[Room]:
    room = Room(data, store)
    async with asyncio.timeout(20):
        await room.plane.start()
        try:
            yield room
        finally:
            await room.plane.close()


def in_room(data: Path, scenario: Callable[[Room], Awaitable[None]]) -> None:
    async def run() -> None:
        async with a_room(data) as room:
            await scenario(room)

    asyncio.run(run())


def test_a_device_acts_only_for_itself(tmp_path: Path) -> None:
    async def scenario(room: Room) -> None:
        await room.enrol("dev-a")
        await room.enrol("dev-b")
        with pytest.raises(ForbiddenError, match="may not speak for 'dev-b'"):
            await room.plane.report("dev-a", a_report("dev-b"))
        batch = TelemetryBatch(device="dev-b", boot_id="b", sequence=1, windows=())
        with pytest.raises(ForbiddenError, match="may not speak for"):
            await room.plane.telemetry("dev-a", batch)

    in_room(tmp_path, scenario)


def test_a_device_whose_clock_never_was_set_has_windows_of_now(tmp_path: Path) -> None:
    async def scenario(room: Room) -> None:
        await room.enrol("dev-a")
        one = TelemetryWindow(
            deployment="default/d",
            variant=OTHER,
            generation=1,
            start_ms=1,
            duration_ms=8,
            requests=1,
            errors=0,
            latency_ms=Histogram(),
        )
        batch = TelemetryBatch(device="dev-a", boot_id="b", sequence=1, windows=(one,), sent_ms=9)
        await room.plane.telemetry("dev-a", batch)
        (stored,) = await room.telemetry.windows(None, 0)
        assert abs(stored.window.start_ms / 1000 - time.time()) < 60

    in_room(tmp_path, scenario)


def test_only_the_right_secret_of_the_right_device_is_let_in(tmp_path: Path) -> None:
    async def scenario(room: Room) -> None:
        secret = await room.enrol("dev-a")
        other = await room.enrol("dev-b")
        room.plane.authenticate("dev-a", secret)
        for device, wrong in (("dev-a", other), ("dev-a", ""), ("nobody", secret), ("", "")):
            with pytest.raises(ForbiddenError, match="not enrolled here, or its secret"):
                room.plane.authenticate(device, wrong)

    in_room(tmp_path, scenario)


def test_a_fetch_is_bounded_by_the_desired_state_and_the_file(tmp_path: Path) -> None:
    async def scenario(room: Room) -> None:
        await room.enrol("dev-a")
        (tmp_path / "f").write_bytes(b"0123456789")
        digest = await room.blobs.put_file(tmp_path / "f")

        async def read(offset: int, length: int, wanted: Digest = digest) -> list[bytes]:
            span = FetchRange(digest=wanted, offset_bytes=offset, length_bytes=length)
            return [chunk.data async for chunk in room.plane.fetch("dev-a", span, 4)]

        with pytest.raises(NotFoundError, match="not part of the desired state"):
            await read(0, 0)
        await room.assign("dev-a", 1, digest)
        await until(lambda: room.plane.desired("dev-a").version == 1)
        assert await read(0, 0) == [b"0123", b"4567", b"89"]
        assert await read(3, 5) == [b"3456", b"7"]
        assert await read(10, 0) == [b""]
        with pytest.raises(InvalidError, match="has 10 bytes, not 11"):
            await read(11, 0)
        # Desired, but not here any more: the same answer as for what never was.
        await room.assign("dev-a", 2, OTHER)
        await until(lambda: room.plane.desired("dev-a").version == 2)
        with pytest.raises(NotFoundError):
            await read(0, 0, OTHER)

    in_room(tmp_path, scenario)


def test_a_watch_ends_when_the_device_is_deleted(tmp_path: Path) -> None:
    async def scenario(room: Room) -> None:
        await room.enrol("dev-a")
        await room.plane.report("dev-a", a_report("dev-a"))
        states = room.plane.watch_desired("dev-a")
        assert (await anext(states)).version == 0
        await room.delete("Device", "default", "dev-a")
        with pytest.raises(ForbiddenError, match="is not enrolled"):
            await anext(states)
        for kind, namespace in (("Identity", ""), ("Observation", "default")):
            with pytest.raises(NotFoundError):
                await room.store.get(kind, namespace, "dev-a")

    in_room(tmp_path, scenario)


def test_an_assignment_that_cannot_be_read_leaves_the_last_one(tmp_path: Path) -> None:
    async def scenario(room: Room) -> None:
        await room.enrol("dev-a")
        states = room.plane.watch_desired("dev-a")
        await anext(states)
        await room.put("Assignment", "default", "dev-a", {"version": "x"})
        await room.assign("dev-a", 3, OTHER)
        assert (await anext(states)).version == 3
        await room.delete("Assignment", "default", "dev-a")
        assert (await anext(states)).version == 0

    in_room(tmp_path, scenario)


def test_a_device_deleted_while_nobody_looked_is_gone(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with a_room(tmp_path) as room:
            await room.enrol("dev-a")
        await room.delete("Device", "default", "dev-a")
        async with a_room(tmp_path, room.store) as again:
            assert again.plane.secrets() == {}

    asyncio.run(scenario())


def test_a_history_that_is_no_longer_kept_is_read_anew(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with a_room(tmp_path, MemoryStore(history=2)) as room:
            await room.enrol("dev-a")
            await room.enrol("dev-b")
            for version in range(1, 6):
                await room.assign("dev-a", version, OTHER)
            await room.delete("Device", "default", "dev-b")
            await room.delete("Identity", "", "dev-b")
            await until(lambda: room.plane.desired("dev-a").version == 5)
            await until(lambda: "dev-b" not in room.plane.secrets())

    asyncio.run(scenario())


def test_everybody_who_listens_knows_a_device_before_it_gets_its_answer(tmp_path: Path) -> None:
    async def scenario(room: Room) -> None:
        told: list[tuple[str, bool]] = []
        rung: list[str] = []

        async def on_identity(device: str, secret: str | None) -> None:
            told.append((device, secret is not None))

        room.plane.listen(on_identity, rung.append)
        await room.enrol("dev-a")
        assert told == [("dev-a", True)]
        await room.assign("dev-a", 1, OTHER)
        await until(lambda: rung == ["dev-a"])
        await room.delete("Device", "default", "dev-a")
        await until(lambda: told[-1] == ("dev-a", False))

    in_room(tmp_path, scenario)


def test_reports_that_collide_are_all_answered_and_the_newest_stays(tmp_path: Path) -> None:
    async def scenario(room: Room) -> None:
        await room.enrol("dev-a")
        await asyncio.gather(
            *(room.plane.report("dev-a", a_report("dev-a", i)) for i in range(1, 4))
        )
        stored = await room.store.get("Observation", "default", "dev-a")
        assert stored.data["report"]["sequence"] == 3

    in_room(tmp_path, scenario)
