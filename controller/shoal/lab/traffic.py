"""Real requests to every device all the time, and an honest count of what came back.

Each device has four lanes, each with one connection and at most one request outstanding. A calm
device gets 24 requests a second over all lanes; from Preflight to Confirmed each lane sends the
next request the moment the answer is there, so that four are outstanding at every instant. A
request is dropped when no 200 with a well-formed answer came within one second; nothing is ever
sent twice.
"""

import asyncio
import itertools
import json
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

LANES = 4
CALM_PER_LANE_S = 6.0
DEADLINE_S = 1.0
FEEDBACK_EVERY = 4
_POLL_S = 0.02
_PRESSING = frozenset({"Preflight", "Switching", "Soaking"})
_REMEMBERED = 50_000
# Whatever comes instead of a well-formed answer: JSON of another shape is a TypeError, a head
# without an end a LimitOverrunError.
_UNANSWERED = (
    TimeoutError,
    OSError,
    ValueError,
    LookupError,
    TypeError,
    EOFError,
    asyncio.LimitOverrunError,
)


@dataclass(frozen=True, slots=True)
class Sample:
    """One input of the model as a ready request body, and its label."""

    body: str
    label: int


@dataclass(slots=True)
class Tally:
    """What one device's clients saw. Times are seconds of CLOCK_MONOTONIC."""

    sent: int = 0
    dropped: int = 0
    longest_gap_s: float = 0.0
    last_answer_s: float | None = None
    in_flight_at_switch: list[int] = field(default_factory=list)
    flights: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    failures: list[str] = field(default_factory=list)
    open: dict[int, float] = field(default_factory=dict)

    def answered(self, number: int, now_s: float) -> None:
        """Request `number` has its well-formed answer."""
        self.flights.append((self.open.pop(number), now_s))
        if self.last_answer_s is not None:
            self.longest_gap_s = max(self.longest_gap_s, now_s - self.last_answer_s)
        self.last_answer_s = now_s

    def lost(self, number: int, now_s: float, why: str) -> None:
        """Request `number` has none."""
        self.flights.append((self.open.pop(number), now_s))
        self.dropped += 1
        self.failures.append(why)

    def outstanding_at(self, moment_s: float) -> int:
        """How many requests were sent and unanswered at `moment_s`."""
        closed = sum(start <= moment_s < end for start, end in self.flights)
        return closed + sum(start <= moment_s for start in self.open.values())


class DeviceTraffic:
    """The clients of one device, driven by what its `status.json` says."""

    def __init__(self, status: Path, model: str, samples: Sequence[Sample]) -> None:
        self.tally = Tally()
        self._status = status
        self._model = model
        self._samples = itertools.cycle(samples)
        self._pressing = asyncio.Event()
        self._numbers = itertools.count()
        self._switches_seen = 0.0
        self._serving = ""

    async def run(self) -> None:
        """Send until cancelled; nothing before the device serves the model for the first time."""
        while not self._read():  # noqa: ASYNC110 - another process writes the file
            await asyncio.sleep(_POLL_S)
        async with asyncio.TaskGroup() as tasks:
            for lane in range(LANES):
                tasks.create_task(self._lane(lane))
            tasks.create_task(self._watch())

    async def _watch(self) -> None:
        while True:
            self._read()
            await asyncio.sleep(_POLL_S)

    def _read(self) -> bool:
        """Take in the device's status; True once it serves."""
        try:
            status = json.loads(self._status.read_bytes())
        except FileNotFoundError:
            return False
        deployments = [d for d in status["deployments"] if d["model"] == self._model]
        if any(d["phase"] in _PRESSING for d in deployments):
            self._pressing.set()
        else:
            self._pressing.clear()
        self._note_switches(status["switches"])
        self._serving = status["serving"]
        return bool(self._serving) and any(d["running"] for d in deployments)

    def _note_switches(self, switches: list[dict[str, Any]]) -> None:
        """Count the requests in flight at each switch from one variant to the next.

        The very first activation has no predecessor and no client yet, so it is not a switch.
        """
        for one in switches:
            moment_s = float(one["monotonic_s"])
            if moment_s > self._switches_seen:
                if self._switches_seen:
                    self.tally.in_flight_at_switch.append(self.tally.outstanding_at(moment_s))
                self._switches_seen = moment_s

    async def _lane(self, lane: int) -> None:
        await asyncio.sleep(lane / LANES / CALM_PER_LANE_S)
        connection = Connection(self._serving)
        while True:
            due_s = time.monotonic() + 1 / CALM_PER_LANE_S
            await self._one(connection)
            if not self._pressing.is_set():
                await self._calm_until(due_s)

    async def _calm_until(self, due_s: float) -> None:
        """The pause of a calm device, cut short when it starts a preflight."""
        try:
            async with asyncio.timeout(max(0.0, due_s - time.monotonic())):
                await self._pressing.wait()
        except TimeoutError:
            return

    async def _one(self, connection: "Connection") -> None:
        number, sample = next(self._numbers), next(self._samples)
        self.tally.sent += 1
        self.tally.open[number] = time.monotonic()
        path = f"/v2/models/{self._model}/infer"
        try:
            async with asyncio.timeout(DEADLINE_S):
                answer = await connection.post(path, sample.body % number)
            _check(answer, str(number))
        except _UNANSWERED as error:
            self.tally.lost(number, time.monotonic(), f"{type(error).__name__}: {error}")
            connection.close()
            return
        self.tally.answered(number, time.monotonic())
        if number % FEEDBACK_EVERY == 0:
            await self._feed_back(connection, number, sample.label)

    async def _feed_back(self, connection: "Connection", number: int, label: int) -> None:
        """Send the label; a lost one is no dropped inference."""
        body = json.dumps({"id": str(number), "label": label})
        try:
            async with asyncio.timeout(DEADLINE_S):
                await connection.post(f"/v2/models/{self._model}/feedback", body)
        except _UNANSWERED:
            connection.close()


class Connection:
    """One keep-alive HTTP/1.1 connection, opened when first needed."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, path: str, body: str) -> bytes:
        """The body of the answer to a POST of JSON.

        Raises:
            ValueError: the status is not 200, or the answer is not HTTP.
            OSError, EOFError: the connection failed.
        """
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._host, self._port)
        reader, writer = self._streams
        data = body.encode()
        writer.write(
            f"POST {path} HTTP/1.1\r\nHost: {self._host}:{self._port}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n".encode()
            + data
        )
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in head[1:])
        }
        answer = await reader.readexactly(int(headers.get("content-length", "0")))
        if head[0].split(" ")[1] != "200":
            raise ValueError(f"{head[0]}: {answer[:200].decode(errors='replace')}")
        return answer

    def close(self) -> None:
        """Forget the connection; the next request opens another."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


def _check(answer: bytes, number: str) -> None:
    """Raise ValueError or LookupError unless the answer is that of request `number`."""
    document = json.loads(answer)
    output = document["outputs"][0]
    size = 1
    for length in output["shape"]:
        size *= length
    if document["id"] != number or len(output["data"]) != size:
        raise ValueError("the answer is not well-formed")
