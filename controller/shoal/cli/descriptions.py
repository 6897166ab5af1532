"""What `shoal describe` says of each kind: titled sections of lines, empty ones left out."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Final

from shoal.cli import evidence, facts, printing
from shoal.cli.facts import Resource

_WORDS: Final = {
    "estimate": "the builder's estimate of time and memory",
    "measured": "measured on devices",
}
Section = tuple[str, Iterable[str]]
_LABEL_COLUMNS: Final = 16


def of(resource: Resource, events: Sequence[Resource]) -> Iterator[str]:
    """The lines about `resource`: who it is, what was asked, what is, what happened."""
    metadata = resource["metadata"]
    yield printing.heading(f"{resource['kind']} {metadata['name']}")
    yield from _pairs(
        {
            "namespace": metadata.get("namespace"),
            "labels": facts.labels(metadata.get("labels")),
            "created": metadata.get("creationTime"),
            "generation": metadata.get("generation"),
        }
    )
    own = _OF_KIND.get(resource["kind"], _spec)(resource)
    closing = [("Conditions", _conditions(resource)), ("Events", _events(events))]
    for title, lines in chain(own, closing):
        for number, line in enumerate(lines):
            if number == 0:
                yield from ("", printing.heading(title))
            yield line


def _pairs(values: Mapping[str, object]) -> Iterator[str]:
    """`name   value` lines; what is empty is left out."""
    for name, value in values.items():
        said = facts.plain(value)
        if said != facts.NONE:
            yield f"  {name:<{_LABEL_COLUMNS}}{said}"


def _spec(resource: Resource) -> Iterator[Section]:
    yield "Spec", _pairs(resource.get("spec") or {})


def _device(device: Resource) -> Iterator[Section]:
    status: Mapping[str, Any] = device.get("status") or {}
    said = {
        "last seen": status.get("lastSeen"),
        "link": status.get("link"),
        "agent": status.get("agentVersion"),
        "serving at": status.get("servingUrl"),
        "profile": status.get("profile"),
        "profile class": status.get("profileClass"),
        # Of a fleet that is not of several speeds, nothing is said.
        "speed tier": status.get("speedTier") or None,
    }
    yield "Status", _pairs(said)
    yield "Hardware", _pairs(_hardware(status.get("hardware") or {}))
    yield "Running", [evidence.running(one) for one in status.get("running") or []]
    yield "Scouting", [evidence.scouting(one) for one in status.get("scouting") or []]
    yield "Outcomes", [evidence.outcome(one) for one in status.get("outcomes") or []]


def _hardware(known: Mapping[str, Any]) -> Mapping[str, object]:
    return {
        "processor": known.get("cpu"),
        "architecture": known.get("arch"),
        "cores": known.get("cores"),
        "features": known.get("isa"),
        "memory": facts.size(known.get("memory_bytes")),
        "disk free": facts.size(known.get("disk_free_bytes")),
        "engines": [" ".join(one) for one in known.get("engines") or []],
        "providers": known.get("providers"),
        "speed score": known.get("speed_score"),
    }


def _profile(profile: Resource) -> Iterator[Section]:
    spec: Mapping[str, Any] = profile.get("spec") or {}
    budget: Mapping[str, Any] = spec.get("budget") or {}
    said = {
        "priority": spec.get("priority"),
        "devices": facts.selector(spec.get("selector")),
        "artifact": budget.get("artifact"),
        "memory": budget.get("memory"),
        "latency p95": facts.at(budget, "latency.p95"),
    }
    yield "Spec", _pairs(said)
    yield "Runtime", _pairs(spec.get("runtime") or {})
    yield "Status", _pairs(profile.get("status") or {})


def _model(model: Resource) -> Iterator[Section]:
    spec: Mapping[str, Any] = model.get("spec") or {}
    files: Mapping[str, Any] = {"source": spec.get("source"), **(spec.get("data") or {})}
    said = {
        **{name: _file(one) for name, one in files.items()},
        "quality": spec.get("quality"),
        "compression": spec.get("compression"),
    }
    yield "Spec", _pairs(said)
    for revision in facts.at(model, "status.revisions") or []:
        yield f"Revision {revision.get('number')}", _revision(revision)


def _file(named: object) -> object:
    """A file by its short digest; the number of golden rows is no file."""
    return facts.short_digest(named) if isinstance(named, str) else named


def _revision(revision: Mapping[str, Any]) -> Iterator[str]:
    yield from _pairs(
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


def _variant(variant: Resource) -> Iterator[Section]:
    spec: Mapping[str, Any] = variant.get("spec") or {}
    status: Mapping[str, Any] = variant.get("status") or {}
    said = {
        "model": f"{spec.get('model')}@{spec.get('modelRevision')}",
        "profile class": spec.get("profileClass"),
        "recipe": facts.at(spec, "recipe.title"),
    }
    yield "Spec", _pairs(said)
    figures = {
        "digest": status.get("digest"),
        "size": facts.size(status.get("bytes")),
        "score": facts.score(status.get("score")),
        "score interval": status.get("score_interval"),
        "latency p95": facts.milliseconds(facts.at(status, "latency_ms.p95")),
        "latency ratio": status.get("latency_ratio"),
        "peak memory": facts.size(status.get("peak_memory_bytes")),
        "agreement": status.get("agreement"),
        "whose word": _WORDS.get(str(status.get("figures"))),
        "scouts now": status.get("scouts"),
    }
    yield "Figures", _pairs(figures)
    measured: Mapping[str, Any] = status.get("measured") or {}
    yield "On devices", [evidence.trial(name, one) for name, one in measured.items()]


def _deployment(deployment: Resource) -> Iterator[Section]:
    spec: Mapping[str, Any] = deployment.get("spec") or {}
    status: Mapping[str, Any] = deployment.get("status") or {}
    asked = {"model": spec.get("model"), "devices": facts.selector(spec.get("selector"))}
    yield "Spec", _pairs(asked)
    said = {
        "revision": status.get("revision"),
        "model revision": status.get("modelRevision"),
        "result": status.get("result"),
        "reason": status.get("reason"),
        "message": status.get("message"),
        "paused": status.get("paused"),
        "following": status.get("following"),
        "devices": status.get("devices"),
        "given up": _given_up(status.get("givenUp")),
    }
    yield "Rollout", _pairs(said)
    yield "Cohorts", [evidence.cohort(one) for one in status.get("cohorts") or []]
    yield "Waves", chain.from_iterable(evidence.wave(one) for one in status.get("waves") or [])
    yield "Problems", evidence.blocked(status.get("blocked") or [])
    yield "Quarantine", [evidence.quarantined(one) for one in status.get("quarantine") or []]


def _given_up(one: Mapping[str, Any] | None) -> str | None:
    if one is None:
        return None
    return f"revision {one.get('revision')} ({one.get('result')}): {one.get('message')}"


_OF_KIND: Final[dict[str, Callable[[Resource], Iterator[Section]]]] = {
    "Device": _device,
    "DeviceProfile": _profile,
    "Model": _model,
    "Variant": _variant,
    "Deployment": _deployment,
}


def _conditions(resource: Resource) -> Iterator[str]:
    conditions: list[Mapping[str, Any]] = facts.at(resource, "status.conditions") or []
    for one in conditions:
        why = ": ".join(str(one[part]) for part in ("reason", "message") if one.get(part))
        since = facts.age(one.get("lastTransitionTime"))
        yield f"  {one.get('type'):<13}{printing.status(str(one.get('status')))} for {since}  {why}"


def _events(events: Sequence[Resource]) -> Iterator[str]:
    for event in events:
        spec: Mapping[str, Any] = event.get("spec") or {}
        times = f" ({spec['count']} times)" if (spec.get("count") or 1) > 1 else ""
        yield (
            f"  {facts.age(spec.get('lastTime')):>4} ago  {spec.get('reason')}: "
            f"{spec.get('message')}{times}"
        )
