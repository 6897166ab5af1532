"""The ports of the agent: everything that its core reaches the world through.

The real ones are in `link/` (Link), `runtime/` (EngineProcess, Prober) and `update/` (Disk, Clock).
The errors that ports raise are in `shoal.agent.errors`.
"""

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from shoal.contract.assignment import DesiredState, Preflight
from shoal.contract.digest import Digest
from shoal.contract.report import DeviceReport, PreflightResult
from shoal.contract.telemetry import TelemetryBatch


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotSpec:
    """What the engine needs to run one variant; `path` is the complete, verified blob.

    `assets` are the files that travel with it, by name. Where another variant serves before it,
    that one answers `shadow_share` of the requests too for `shadow_s` seconds after the switch.
    """

    deployment: str
    model: str
    generation: int
    variant: Digest
    path: Path
    providers: tuple[str, ...] = ("CPUExecutionProvider",)
    threads: int = 1
    output: str = ""
    assets: tuple[tuple[str, Path], ...] = ()
    shadow_share: float = 0.0
    shadow_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedSlot:
    """A candidate that is loaded and warm beside the active slot."""

    deployment: str
    generation: int
    load_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Switched:
    """The moment at which the engine moved its pointer.

    `monotonic_s` is CLOCK_MONOTONIC in seconds, `in_flight` the requests of the deployment that
    were inside the engine then.
    """

    monotonic_s: float
    in_flight: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """Inferences of the active slot since its switch."""

    good: int
    errors: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeRequest:
    """One candidate to prove; `active` is the blob that serves now, None in a first rollout.

    Without `golden` only loading, latency and memory are checked; without `reference` no parity.
    """

    candidate: Path
    active: Path | None
    golden: Path | None
    reference: Path | None
    limits: Preflight
    providers: tuple[str, ...] = ("CPUExecutionProvider",)
    threads: int = 1
    output: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeResult:
    """A candidate that passed; `active_answers` are the active variant's on the golden rows."""

    result: PreflightResult
    active_answers: tuple[int, ...] = ()


class Link(Protocol):
    """The controller, seen from a device; reconnects by itself with full jitter."""

    @property
    def connected(self) -> bool:
        """Whether the controller is reached at this moment."""
        ...

    @property
    def trouble(self) -> str:
        """Why the controller is not reached, or refuses this device; empty where all is well."""
        ...

    def desired(self) -> AsyncIterator[DesiredState]:
        """The desired state on every (re)connect and after every change, for ever."""
        ...

    async def report(self, report: DeviceReport) -> None:
        """Return once the controller has stored the report.

        Raises:
            LinkError: not connected, or no acknowledgement in time.
        """

    async def send_telemetry(self, batch: TelemetryBatch) -> None:
        """Return once the controller has stored the batch.

        Raises:
            LinkError: not connected, or no acknowledgement in time.
        """

    def fetch(self, digest: Digest, offset: int) -> AsyncIterator[bytes]:
        """The bytes of an artifact in order, from `offset`; the caller verifies the digest.

        Raises:
            LinkError: the transfer broke off; fetch again from the new offset.
        """
        ...

    async def close(self) -> None:
        """Leave tidily."""


class Engine(Protocol):
    """The process that serves: slots are loaded beside the active one, then a pointer moves."""

    async def load(self, slot: SlotSpec) -> LoadedSlot:
        """Load and warm a candidate beside the active slot; loading it again replaces it.

        Raises:
            EngineError: LOAD_FAILED, CRASHED or TIMED_OUT.
        """
        ...

    async def activate(self, deployment: str, generation: int) -> Switched:
        """Move the pointer to a loaded candidate; the old slot drains and is dropped.

        Raises:
            EngineError: no such candidate, or the engine died.
        """
        ...

    async def discard(self, deployment: str, generation: int) -> None:
        """Drop a loaded candidate; nothing happens where there is none."""

    async def remove(self, deployment: str) -> None:
        """Drop everything of a deployment; nothing happens where there is nothing."""

    async def golden(self, deployment: str, generation: int, golden: Path) -> tuple[int, ...]:
        """The active slot's answer on every golden row; -1 where there is none.

        Raises:
            EngineError: the active slot is not of this generation, or the engine died.
        """
        ...

    async def counters(self, deployment: str) -> Counters:
        """Inferences of the active slot since its switch.

        Raises:
            EngineError: no active slot, or the engine died.
        """
        ...


class EngineProcess(Engine, Protocol):
    """The engine as the supervisor holds it: a process that may die and be started again.

    Constructed with the listening sockets and two callbacks on the event loop:
    `on_window(TelemetryWindow)` and `on_exit(returncode)`, the latter not after `stop`.
    """

    @property
    def pid(self) -> int | None:
        """The process now running, None between two."""
        ...

    def expect(self, deployments: Collection[str]) -> None:
        """Have the next process answer nobody until these serve again, or cannot."""

    async def start(self) -> None:
        """Start a process with empty slots and return when it answers.

        Raises:
            EngineError: it exited or did not answer in time.
        """

    async def configure(self, telemetry_window_s: float) -> None:
        """Length of the telemetry windows from now on; kept over restarts."""

    async def stop(self) -> None:
        """Drain, end the process and wait for it; nothing happens where there is none."""


class Prober(Protocol):
    """The on-device check of a candidate, in a child that may die."""

    async def probe(self, request: ProbeRequest) -> ProbeResult:
        """Load, compare and measure a candidate.

        Raises:
            ProbeError: a limit was exceeded, or the candidate did not run.
        """
        ...


class Benchmark(Protocol):
    """How fast this machine is."""

    async def score(self) -> float | None:
        """Work in a second, in a few tenths of one; None where it could not be measured."""
        ...


class Disk(Protocol):
    """The few file operations that updates rest on; each is one system call or nearly so.

    What was written is durable only after `sync`, a name only after `sync_directory` of its folder.
    Parents are created where they are missing. Failures are OSError.
    """

    def size(self, path: Path) -> int | None:
        """Bytes of a regular file, None where there is none."""
        ...

    def read(self, path: Path) -> bytes:
        """The whole content."""
        ...

    def digest(self, path: Path) -> Digest:
        """SHA-256 of the content, read in bounded memory."""
        ...

    def append(self, path: Path, data: bytes) -> None:
        """Write at the end, creating the file."""

    def truncate(self, path: Path, size_bytes: int) -> None:
        """Cut the file to its first bytes."""

    def sync(self, path: Path) -> None:
        """Make the content durable."""

    def sync_directory(self, path: Path) -> None:
        """Make the names in a folder durable."""

    def rename(self, source: Path, target: Path) -> None:
        """Replace `target` in one step."""

    def remove(self, path: Path) -> None:
        """Remove a file, a link or an empty folder; nothing happens where there is none."""

    def link(self, target: str, path: Path) -> None:
        """Make a symbolic link; there must be none."""

    def target(self, path: Path) -> str | None:
        """Where a symbolic link points, None where there is none."""
        ...

    def names(self, path: Path) -> tuple[str, ...]:
        """Sorted names in a folder; empty where there is none."""
        ...

    def free_bytes(self) -> int:
        """Bytes that may still be written."""
        ...


class Clock(Protocol):
    """Time."""

    def now(self) -> float:
        """Seconds since the epoch."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after that long."""


class Rng(Protocol):
    """Chance; `random.Random` is one."""

    def uniform(self, a: float, b: float, /) -> float:
        """A number between both."""
        ...
