"""What the controller foresees, as text for people."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from shoal.cli import evidence, facts, printing

Part = Mapping[str, Any]


def lines(plan: Part) -> Iterator[str]:
    """The plan without its devices: searches, then each deployment with its cohorts."""
    for one in plan["searches"]:
        model = f"{one['model']}@{one['modelRevision']}"
        what = (
            "is measured by scouts first, who may find another choice"
            if one["scouting"]
            else "is searched for first"
        )
        yield f"model {model}: profile class {one['profileClass']} {what}"
    for item in plan["items"]:
        yield from _deployment(item)
    if not plan["items"]:
        yield "no deployment is touched"


def table(items: Sequence[Part], *, wide: bool) -> None:
    """Every device of every deployment, those that something happens to first."""
    titles = ["DEVICE", "CHANGE", "WAVE", "VARIANT", "MOVES", "WHY NOT"]
    more = ["CURRENT", "MAY FALL TO"] if wide else []
    rows = [
        [*_row(one), *(_more(one) if wide else ())]
        for item in items
        for one in sorted(item["devices"], key=lambda one: one["change"] == "keeps")
    ]
    if rows:
        printing.table([*titles, *more], rows, wide=wide)


def changed(items: Sequence[Part]) -> Iterator[tuple[str, Part]]:
    """Deployment and device of everything that would not stay as it is."""
    for item in items:
        for one in item["devices"]:
            if one["change"] in {"new", "changes", "withdrawn"}:
                yield item["deployment"], one


def follows(coming: Part) -> str:
    """Who gets a model revision whose variants nobody knows yet."""
    devices = evidence.count(coming["devices"], "device")
    verb = "follows" if coming["devices"] == 1 else "follow"
    which = f"{coming['model']}@{coming['modelRevision']}"
    return f"{devices} {verb} {which}: the variants come from a search that ends first"


def _deployment(item: Part) -> Iterator[str]:
    moves = facts.size(item["bytesToMove"])
    devices = evidence.count(len(item["devices"]), "device")
    if item["starts"]:
        what = f"revision {item['revision']} would start"
    elif item["revision"]:
        what = f"revision {item['revision']} stays ({item['result']})"
    else:
        what = "nothing would start"
    said = f" [{item['reason']}] {item['message']}".rstrip() if item["reason"] else ""
    yield f"{printing.heading(item['deployment'])}: {what}, {devices}, {moves} to move{said}"
    for one in item["cohorts"]:
        yield f"  cohort {one['name']}: {evidence.count(one['devices'], 'device')}, {_choice(one)}"
    if item["follows"]:
        yield f"  {follows(item['follows'])}"
    for one in item["starved"]:
        yield f"  starved by {one['by']} [{one['reason']}]: {one['message']}"
    yield from _rehearsal(item["rehearsal"])


def _choice(cohort: Part) -> str:
    nothing = cohort["noFeasibleVariant"]
    if nothing is not None:
        return f"no feasible variant: {nothing['message']}"
    falls = ", ".join(facts.short_digest(one) for one in cohort["mayFallTo"])
    tail = f", may fall to {falls}" if falls else ""
    return f"variant {facts.short_digest(cohort['variant'])}{tail}"


def _rehearsal(rehearsal: Part | None) -> Iterator[str]:
    if rehearsal is None:
        return
    for one in rehearsal["waits"]:
        if one["reason"]:
            waits = f"  after {one['afterSeconds']:g} s it waits [{one['reason']}]"
            yield f"{waits} {one['message']}" + (
                f" ({one['seconds']:g} s)" if one["seconds"] else ""
            )
    if rehearsal["end"] == "complete":
        yield f"  complete after {rehearsal['seconds']:g} s at best, gates aside"
    elif rehearsal["end"] == "stands":
        yield f"  it stands after {rehearsal['seconds']:g} s, even where every device does well"
    else:
        yield f"  followed for its first {rehearsal['seconds']:g} s; what comes later has no times"


def _row(device: Part) -> list[str]:
    why = f"[{device['reason']}] {device['message']}" if device["reason"] else ""
    return [
        str(device["device"]),
        str(device["change"]),
        facts.plain(device["wave"]),
        facts.short_digest(device["variant"]),
        facts.size(device["bytesToMove"]),
        facts.plain(why),
    ]


def _more(device: Part) -> list[str]:
    falls = ",".join(facts.short_digest(one) for one in device["mayFallTo"])
    return [facts.short_digest(device["current"]), facts.plain(falls)]
