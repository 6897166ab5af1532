"""A device's fake disk and engine, and what they answer to the effects of the core."""

from dataclasses import dataclass, field

from shoal.agent.core import effects as ef
from shoal.agent.core import events as ev
from shoal.agent.core.saved import Saved
from shoal.contract.digest import Digest
from shoal.contract.reason import Reason
from shoal.contract.report import PreflightResult
from shoal.lab.simulation.laws import BrokenLawError
from shoal.lab.simulation.models import Library, Nature

PREFLIGHT = PreflightResult(
    agreement=1.0,
    p50_ms=1.0,
    p95_ms=1.0,
    active_p95_ms=None,
    latency_ratio=None,
    peak_memory_bytes=1,
    load_ms=1.0,
)


@dataclass(slots=True)
class FakeDisk:
    """What outlives a crash: the journal's last state, and complete blobs.

    `moved_bytes` counts what was ever fetched.
    """

    journal: Saved | None = None
    blobs: set[Digest] = field(default_factory=set)
    moved_bytes: int = 0


@dataclass(slots=True)
class FakeEngine:
    """The digest that serves each deployment; a dead process serves nothing."""

    up: bool = True
    serving: dict[str, Digest] = field(default_factory=dict)
    loaded: set[tuple[str, int]] = field(default_factory=set)

    def die(self) -> None:
        """Lose everything."""
        self.up = False
        self.serving = {}
        self.loaded = set()

    def start(self) -> None:
        """Come up empty."""
        self.up = True


@dataclass(slots=True, kw_only=True)
class Bench:
    """Answers effects as the variants of this fleet behave on this device."""

    device: str
    disk: FakeDisk
    engine: FakeEngine
    variants: Library

    def answer(self, effect: ef.Answered, *, online: bool) -> ev.Event:
        """What comes of an effect."""
        match effect:
            case ef.Survey():
                return self._survey(effect)
            case ef.Fetch():
                return self._fetch(effect, online=online)
            case ef.Probe():
                return self._probe(effect)
            case ef.Observe():
                return self._observe(effect)
            case _:
                return self._engine(effect)

    def _engine(self, effect: ef.Load | ef.Activate | ef.Restore | ef.Remove) -> ev.Event:
        name, ticket = effect.deployment, effect.ticket
        match effect:
            case ef.Load():
                if self.variants.nature(effect.slot.variant) is Nature.BROKEN:
                    return ev.LoadFailed(
                        deployment=name, ticket=ticket, reason=Reason.LOAD_FAILED, message="broken"
                    )
                self.engine.loaded.add((name, effect.slot.loaded_as))
                return ev.Loaded(deployment=name, ticket=ticket)
            case ef.Activate():
                if (name, effect.slot.loaded_as) not in self.engine.loaded:
                    raise BrokenLawError(f"law 7: {effect.slot.variant} is not loaded")
                self.engine.serving[name] = effect.slot.variant
                return ev.Activated(deployment=name, ticket=ticket)
            case ef.Restore():
                self.engine.serving[name] = effect.slot.variant
                return ev.Restored(deployment=name, ticket=ticket)
            case ef.Remove():
                self.engine.serving.pop(name, None)
                return ev.Removed(deployment=name, ticket=ticket)

    def _survey(self, effect: ef.Survey) -> ev.Event:
        missing = tuple(one for one in effect.artifacts if one.digest not in self.disk.blobs)
        return ev.Surveyed(
            deployment=effect.deployment,
            ticket=effect.ticket,
            missing=missing,
            missing_bytes=sum(one.size_bytes for one in missing),
            free_bytes=1 << 30,
        )

    def _fetch(self, effect: ef.Fetch, *, online: bool) -> ev.Event:
        if not online:
            return ev.FetchFailed(
                deployment=effect.deployment,
                ticket=effect.ticket,
                reason=Reason.UNREACHABLE,
                message="no link",
                received_bytes=0,
            )
        missing = [one for one in effect.artifacts if one.digest not in self.disk.blobs]
        received_bytes = sum(one.size_bytes for one in missing)
        self.disk.moved_bytes += received_bytes
        self.disk.blobs |= {one.digest for one in missing}
        return ev.Fetched(
            deployment=effect.deployment, ticket=effect.ticket, received_bytes=received_bytes
        )

    def _probe(self, effect: ef.Probe) -> ev.Event:
        if self.variants.refuses(effect.assignment.variant, self.device):
            return ev.ProbeFailed(
                deployment=effect.deployment,
                ticket=effect.ticket,
                reason=Reason.LATENCY_EXCEEDED,
                message="p95 9 ms",
                result=PREFLIGHT,
            )
        active = effect.active
        answers = () if active is None else self.variants.answers(active)
        return ev.Probed(
            deployment=effect.deployment,
            ticket=effect.ticket,
            result=PREFLIGHT,
            active_answers=answers,
        )

    def _observe(self, effect: ef.Observe) -> ev.Event:
        serving = self.engine.serving.get(effect.deployment)
        if serving is None:
            return ev.ObserveFailed(
                deployment=effect.deployment,
                ticket=effect.ticket,
                reason=Reason.LOAD_FAILED,
                message="nothing is active",
            )
        answers = None if effect.golden is None else self.variants.answers(serving)
        return ev.Observed(
            deployment=effect.deployment, ticket=effect.ticket, good=100, errors=0, answers=answers
        )


_FAILURES: dict[type, type[ev.LoadFailed | ev.RestoreFailed | ev.ObserveFailed]] = {
    ef.Load: ev.LoadFailed,
    ef.Activate: ev.LoadFailed,
    ef.Restore: ev.RestoreFailed,
    ef.Observe: ev.ObserveFailed,
}


def crashed(effect: ef.Answered) -> ev.Event | None:
    """How the engine's death answers what it was asked."""
    kind = _FAILURES.get(type(effect))
    if kind is None:
        return None
    return kind(
        deployment=effect.deployment,
        ticket=effect.ticket,
        reason=Reason.CRASHED,
        message="the engine died",
    )
