"""Waves, gates, cohorts and troubled devices of a rollout, as lines of text."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from shoal.cli import bands, facts, printing
from shoal.contract import shortfall

Part = Mapping[str, Any]

# Sources of evidence that a gate has beside another one.
_ONE_OF_SEVERAL = frozenset({"shadow", "labels"})


def choice(chosen: Part) -> str:
    """The variant chosen for a profile, or by how much the nearest one misses."""
    nothing = chosen.get("noFeasibleVariant")
    if nothing is not None:
        return f"no feasible variant; nearest: {_misses(nothing)}"
    size, score = facts.size(chosen.get("bytes")), facts.score(chosen.get("score"))
    return f"{facts.short_digest(chosen.get('digest'))}  {size}  score {score}"


def _misses(nothing: Part) -> str:
    texts = [
        shortfall.describe(one["constraint"], one["nearest"], one["limit"])
        for one in nothing.get("nearest") or ()
    ]
    return "; ".join(texts) or "none was measured"


def running(one: Part) -> str:
    """One model that a device runs."""
    digest = facts.short_digest(one.get("digest"))
    what = f"{one.get('model')}, revision {one.get('revision')}, {digest}"
    return f"  {one.get('deployment')}: {what}"


def scouting(one: Part) -> str:
    """One variant that a device measures for others."""
    return f"  {facts.short_digest(one.get('digest'))} of {one.get('model')}@{one.get('revision')}"


def outcome(one: Part) -> str:
    """How far a device is with a deployment, and why not further."""
    phase = printing.status(str(one.get("phase")))
    reason = f" [{one['reason']}] {one.get('message') or ''}" if one.get("reason") else ""
    return f"  {one.get('deployment')}: {phase}{reason}".rstrip()


def cohort(one: Part) -> str:
    """One cohort and what runs in it."""
    what = f"variant {facts.short_digest(one.get('variant'))}"
    if one.get("noFeasibleVariant"):
        what = choice(one)
    return f"  {one.get('name')}: {count(one.get('devices'), 'device')}, {what}"


def wave(one: Part) -> Iterator[str]:
    """One wave: its result, its counts, its gates."""
    counts = facts.plain(one.get("counts"))
    result = printing.status(str(one.get("result")))
    said = "" if counts == facts.NONE else f"  {counts}"
    by = f", promoted by {one['promotedBy']}" if one.get("promotedBy") else ""
    yield f"  {one.get('name')}: {count(one.get('devices'), 'device')}, {result}{by}{said}"
    for each in one.get("gates") or []:
        yield f"    {gate(each)}"
        if drawn := bands.band(each):
            yield f"      {drawn}"


def gate(one: Part) -> str:
    """One gate with its numbers: value, what it is compared with, limit, samples."""
    what = one.get("name") or one.get("metric")
    source = f" ({one['source']})" if one.get("source") in _ONE_OF_SEVERAL else ""
    parts = [f"{what}{source} {printing.status(str(one.get('verdict')))}"]
    parts += [
        f"{name} {facts.plain(one[name])}"
        for name in ("value", "baseline", "limit", "samples")
        if one.get(name) is not None
    ]
    if one.get("interval"):
        parts.append("interval {} to {}".format(*(facts.plain(end) for end in one["interval"])))
    if one.get("cohort"):
        parts.append(f"cohort {one['cohort']}")
    advisory = " (advisory)" if one.get("advisory") else ""
    message = f": {one['message']}" if one.get("message") else ""
    return ", ".join(parts) + advisory + message


def trial(device: str, one: Part) -> str:
    """What one device measured of a variant, or why it would not do there."""
    if one.get("refusal"):
        return f"  {device}: {one['refusal']}"
    figures = {
        "p95": facts.milliseconds(one.get("p95_ms")),
        "memory": facts.size(one.get("peak_memory_bytes")),
        "load": facts.milliseconds(one.get("load_ms")),
        "agreement": facts.plain(one.get("agreement")),
    }
    return f"  {device}: " + ", ".join(f"{name} {said}" for name, said in figures.items())


def quarantined(one: Part) -> str:
    """One variant that failed in a cohort, and whether it still may not run there."""
    lifted = f", lifted by {one['liftedBy']}" if one.get("liftedBy") else ""
    why = f"[{one.get('reason')}] {one.get('message')}"
    what = f"{facts.short_digest(one.get('digest'))} since revision {one.get('revision')}{lifted}"
    return f"  {one.get('cohort')}: {what}: {why}"


def blocked(devices: Sequence[Part]) -> Iterator[str]:
    """Each device that something went wrong on, with the reason and what it said."""
    for one in devices:
        reason = f" [{one['reason']}]" if one.get("reason") else ""
        yield f"  {one.get('device')}: {one.get('outcome')}{reason}"
        for text in str(one.get("message") or "").splitlines():
            yield f"      {text}"


def count(number: object, what: str) -> str:
    """`1 device`, `3 devices`."""
    return f"{number} {what}{'' if number == 1 else 's'}"
