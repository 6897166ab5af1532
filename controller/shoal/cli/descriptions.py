"""What `shoal describe` says of each kind, as lines of text."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from shoal.cli import evidence, facts, printing
from shoal.cli.facts import Resource

_LABEL_COLUMNS: Final = 16


def of(resource: Resource, events: Sequence[Resource]) -> Iterator[str]:
    """The lines about `resource`: who it is, what was asked, what is, what happened."""
    metadata = resource["metadata"]
    yield printing.heading(f"{resource['kind']} {metadata['name']}")
    yield from pairs(
        {
            "namespace": metadata.get("namespace"),
            "labels": facts.labels(metadata.get("labels")),
            "created": metadata.get("creationTime"),
            "generation": metadata.get("generation"),
        }
    )
    yield from _OF_KIND.get(resource["kind"], _spec)(resource)
    yield from _conditions(resource)
    yield from _events(events)


def section(title: str) -> Iterator[str]:
    """A heading with an empty line above."""
    yield ""
    yield printing.heading(title)


def pairs(values: Mapping[str, object]) -> Iterator[str]:
    """`name   value` lines; what is empty is left out."""
    for name, value in values.items():
        said = facts.plain(value)
        if said != facts.NONE:
            yield f"  {name:<{_LABEL_COLUMNS}}{said}"


def _spec(resource: Resource) -> Iterator[str]:
    yield from section("Spec")
    yield from pairs(resource.get("spec") or {})


def _device(device: Resource) -> Iterator[str]:
    status: Mapping[str, Any] = device.get("status") or {}
    yield from section("Status")
    yield from pairs(
        {
            "last seen": status.get("lastSeen"),
            "link": status.get("link"),
            "agent": status.get("agentVersion"),
            "serving at": status.get("servingUrl"),
            "profile": status.get("profile"),
            "profile class": status.get("profileClass"),
        }
    )
    yield from section("Hardware")
    yield from pairs(status.get("hardware") or {})
    yield from section("Running")
    for one in status.get("running") or []:
        yield (
            f"  {one.get('deployment')}: {one.get('model')}@{one.get('revision')} "
            f"{facts.short_digest(one.get('digest'))}"
        )
    yield from section("Outcomes")
    for one in status.get("outcomes") or []:
        reason = f" [{one['reason']}] {one.get('message') or ''}" if one.get("reason") else ""
        phase = printing.status(str(one.get("phase")))
        yield f"  {one.get('deployment')}: {phase}{reason}".rstrip()


def _profile(profile: Resource) -> Iterator[str]:
    spec: Mapping[str, Any] = profile.get("spec") or {}
    budget: Mapping[str, Any] = spec.get("budget") or {}
    yield from section("Spec")
    yield from pairs(
        {
            "priority": spec.get("priority"),
            "devices": facts.selector(spec.get("selector")),
            "artifact": budget.get("artifact"),
            "memory": budget.get("memory"),
            "latency p95": facts.at(budget, "latency.p95"),
        }
    )
    yield from section("Runtime")
    yield from pairs(spec.get("runtime") or {})
    yield from section("Status")
    yield from pairs(profile.get("status") or {})


def _model(model: Resource) -> Iterator[str]:
    spec: Mapping[str, Any] = model.get("spec") or {}
    yield from section("Spec")
    yield from pairs({"source": spec.get("source")})
    for part in ("quality", "data", "compression"):
        yield from pairs({part: spec.get(part)})
    for revision in facts.at(model, "status.revisions") or []:
        yield from section(f"Revision {revision.get('number')}")
        yield from pairs(
            {
                "digest": facts.short_digest(revision.get("digest")),
                "score": facts.score(revision.get("score")),
                "ready": revision.get("ready"),
                "reason": revision.get("reason"),
                "message": revision.get("message"),
            }
        )
        for name, found in (revision.get("classes") or {}).items():
            yield f"  class {name}: {found.get('state')}, {found.get('variants') or 0} variants"
            for profile, choice in (found.get("chosen") or {}).items():
                yield f"    {profile}: {evidence.choice(choice)}"


def _variant(variant: Resource) -> Iterator[str]:
    status: Mapping[str, Any] = variant.get("status") or {}
    yield from _spec(variant)
    yield from section("Measured")
    yield from pairs(
        {
            "digest": status.get("digest"),
            "size": facts.size(status.get("bytes")),
            "score": facts.score(status.get("score")),
            "interval": status.get("interval"),
            "latency p95": facts.milliseconds(facts.at(status, "latency_ms.p95")),
            "latency ratio": status.get("latency_ratio"),
            "peak memory": facts.size(status.get("peak_memory_bytes")),
            "agreement": status.get("agreement"),
        }
    )


def _deployment(deployment: Resource) -> Iterator[str]:
    spec: Mapping[str, Any] = deployment.get("spec") or {}
    status: Mapping[str, Any] = deployment.get("status") or {}
    yield from pairs({"model": spec.get("model"), "devices": facts.selector(spec.get("selector"))})
    yield from section("Rollout")
    yield from pairs(
        {
            "revision": status.get("revision"),
            "model revision": status.get("modelRevision"),
            "result": status.get("result"),
            "reason": status.get("reason"),
            "message": status.get("message"),
            "paused": status.get("paused"),
            "following": status.get("following"),
            "devices": status.get("devices"),
        }
    )
    yield from section("Cohorts")
    for cohort in status.get("cohorts") or []:
        yield from evidence.cohort(cohort)
    yield from section("Waves")
    for wave in status.get("waves") or []:
        yield from evidence.wave(wave)
    if status.get("blocked"):
        yield from section("Problems")
        yield from evidence.blocked(status["blocked"])


_OF_KIND: Final[dict[str, Callable[[Resource], Iterator[str]]]] = {
    "Device": _device,
    "DeviceProfile": _profile,
    "Model": _model,
    "Variant": _variant,
    "Deployment": _deployment,
}


def _conditions(resource: Resource) -> Iterator[str]:
    conditions: list[Mapping[str, Any]] = facts.at(resource, "status.conditions") or []
    if not conditions:
        return
    yield from section("Conditions")
    for one in conditions:
        why = ": ".join(str(one[part]) for part in ("reason", "message") if one.get(part))
        since = facts.age(one.get("lastTransitionTime"))
        yield f"  {one.get('type'):<13}{printing.status(str(one.get('status')))} for {since}  {why}"


def _events(events: Sequence[Resource]) -> Iterator[str]:
    if not events:
        return
    yield from section("Events")
    for event in events:
        spec: Mapping[str, Any] = event.get("spec") or {}
        times = f" ({spec['count']} times)" if (spec.get("count") or 1) > 1 else ""
        yield (
            f"  {facts.age(spec.get('lastTime')):>4} ago  {spec.get('reason')}: "
            f"{spec.get('message')}{times}"
        )
