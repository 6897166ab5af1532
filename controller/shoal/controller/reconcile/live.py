"""Live evidence for passes: tallies from the store and answers of queries, kept up to date.

Everything here can be lost: tallies are read again from the store, and answers are asked for again.
Only what changed since the last look is read, and only of rollouts that go on.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from shoal.contract.digest import Digest
from shoal.controller.domain import live
from shoal.controller.domain.gating import Metric
from shoal.controller.domain.live import Answer, DeviceEvidence, LiveEvidence, QueryAnswers
from shoal.controller.domain.rollout import RolloutRecord
from shoal.controller.domain.tallies import Tally
from shoal.controller.planning.judging import queries
from shoal.controller.store.memory import MemoryTelemetry
from shoal.controller.store.port import TelemetryStore

QUERY_EVERY_S = 15.0
ADVISORY_EVERY_S = 60.0  # how often evidence is looked at that is only shown
REST_EPOCH_S = 86_400.0  # what was before a rollout is from these days, not from all times

log = logging.getLogger(__name__)


class Queries(Protocol):
    """Something that answers PromQL."""

    async def value(self, query: str) -> float | None:
        """The one number that answers; None where there is none.

        Raises:
            OSError: it cannot be reached.
            ValueError: it answers something else, or refuses the query.
        """


@dataclass(slots=True)
class _Known:
    """What was read of one deployment."""

    reading: asyncio.Lock = field(default_factory=asyncio.Lock)
    version: int = 0
    started_ms: int = 0
    read_at: float = float("-inf")
    marked_ms: int = 0
    tallies: dict[str, dict[tuple[int, Digest], Tally]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    evidence: dict[str, DeviceEvidence] = field(default_factory=dict)
    asked_at: dict[str, float] = field(default_factory=dict)
    answers: dict[str, tuple[Answer, ...]] = field(default_factory=dict)


class Live:
    """The live evidence of every rollout that goes on, read at most every `every_s`."""

    def __init__(
        self,
        telemetry: TelemetryStore | None = None,
        prometheus: Queries | None = None,
        every_s: float = 10.0,
    ) -> None:
        self._telemetry = telemetry or MemoryTelemetry()
        self._prometheus = prometheus
        self._every_s = max(every_s, 1.0)
        self._known: dict[str, _Known] = defaultdict(_Known)
        self._asking: set[asyncio.Task[None]] = set()

    async def look(self, record: RolloutRecord, now: float) -> LiveEvidence:
        """The evidence of the revision that goes on; empty where none does or gates are skipped."""
        current = record.current
        if current is None or not current.result.open or current.origin.returns:
            return LiveEvidence()
        known = self._known[record.deployment]
        started_ms = _ms(current.started_at)
        # Plans look too: who comes while another reads would find nothing yet, or what belongs to
        # another revision.
        async with known.reading:
            if known.started_ms != started_ms:
                known.started_ms = started_ms
                known.evidence.clear()
                known.read_at = float("-inf")
            if now - known.read_at >= self._every_s:
                known.read_at = now
                await self._read(record.deployment, known)
        self._ask(record, known, now)
        return LiveEvidence(
            devices=tuple(known.evidence[name] for name in sorted(known.evidence)),
            queries=tuple(
                QueryAnswers(query=query, answers=known.answers[query])
                for query in sorted(known.answers)
            ),
        )

    async def mark(self, record: RolloutRecord, now: float) -> None:
        """Have windows counted apart from the start of the newest revision, and daily at rest."""
        current = record.current
        if current is None:
            return
        known = self._known[record.deployment]
        epoch_ms = _ms(current.started_at)
        newest = max(known.marked_ms, epoch_ms)
        if not current.result.open and now - newest / 1000 > REST_EPOCH_S:
            epoch_ms = _ms(now)
        if epoch_ms > known.marked_ms:
            await self._telemetry.mark(record.deployment, epoch_ms)
            known.marked_ms = epoch_ms

    async def forget(self, deployment: str) -> None:
        """Drop everything of a deployment that is gone."""
        self._known.pop(deployment, None)
        await self._telemetry.forget(deployment)

    def next_look(self, record: RolloutRecord, now: float) -> float | None:
        """When a pass should look again though no device changed; None while nothing is judged."""
        current = record.current
        if current is None or not current.result.open or current.origin.returns:
            return None
        gates = current.content.strategy.gates
        asked = any(one.metric is Metric.PROMETHEUS for one in gates)
        if any(one.live for one in record.cohorts) and any(one.live for one in gates):
            return now + self._every_s
        if asked:
            return now + QUERY_EVERY_S
        shown = bool(self._known[record.deployment].evidence)
        return now + ADVISORY_EVERY_S if shown else None

    async def _read(self, deployment: str, known: _Known) -> None:
        found = await self._telemetry.tallies(deployment, known.version)
        known.version = found.version
        stale = set()
        for key, tally in found.changed:
            known.tallies[key.device][key.epoch_ms, key.variant] = tally
            stale.add(key.device)
        kept = set(found.epochs_ms)
        for device, tallies in known.tallies.items():
            for gone in [place for place in tallies if place[0] not in kept]:
                del tallies[gone]
                stale.add(device)
        for device in stale | (known.tallies.keys() - known.evidence.keys()):
            known.evidence[device] = _evidence(device, known)

    def _ask(self, record: RolloutRecord, known: _Known, now: float) -> None:
        """Ask for what is due, beside the pass: a Prometheus that is away holds nobody up."""
        if self._prometheus is None:
            return
        wanted = set(_queries(record))
        known.answers = {one: known.answers.get(one, ()) for one in wanted}
        for query in sorted(wanted):
            if now - known.asked_at.get(query, float("-inf")) >= QUERY_EVERY_S:
                known.asked_at[query] = now
                task = asyncio.create_task(self._answer(self._prometheus, query, known, now))
                self._asking.add(task)
                task.add_done_callback(self._asking.discard)

    async def _answer(self, prometheus: Queries, query: str, known: _Known, now: float) -> None:
        try:
            value = await prometheus.value(query)
        except (OSError, ValueError) as error:
            log.warning("the query %r has no answer: %s", query, error)
            value = None
        answers = (*known.answers.get(query, ()), Answer(at=now, value=value))
        known.answers[query] = answers[-queries.MOST_ANSWERS :]


def _evidence(device: str, known: _Known) -> DeviceEvidence:
    tallies = sorted(known.tallies[device].items())
    return live.device_evidence(
        device,
        [(variant, one) for (epoch, variant), one in tallies if epoch < known.started_ms],
        [(variant, one) for (epoch, variant), one in tallies if epoch >= known.started_ms],
    )


def _queries(record: RolloutRecord) -> Iterator[str]:
    for gate in record.going.content.strategy.gates:
        if gate.metric is Metric.PROMETHEUS:
            yield queries.text_of(gate, record.deployment, record.going.number)


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
