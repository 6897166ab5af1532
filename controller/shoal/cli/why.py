"""`shoal why`: why a device runs what it runs, or a rollout stands where it stands."""

from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any

import typer

from shoal.cli import facts, printing
from shoal.cli.invocation import Output
from shoal.cli.session import Session
from shoal.contract.problem import InvalidError, NotFoundError, Problem
from shoal.contract.reason import Reason

Part = Mapping[str, Any]

# States of a revision that the newest one led back from, and not of that newest one.
_GIVEN_UP = frozenset({"rolled-back", "aborted"})


def command(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="DEVICE|DEPLOYMENT")],
) -> None:
    """Explain a device or a deployment: its variant, what ruled out the others, what it waits for.

    Example: shoal why cam-1

    Where a device and a deployment have one name: device/NAME or deployment/NAME.
    """
    session: Session = context.obj
    found = _found(session, name)
    if session.output in {Output.JSON, Output.YAML}:
        printing.document(found, session.output)
    elif session.output is Output.NAME:
        kind = "device" if "device" in found else "deployment"
        printing.line(f"{kind}/{str(found[kind]).rpartition('/')[2]}")
    else:
        wide = session.output is Output.WIDE
        told = _device(found, wide=wide) if "device" in found else _deployment(found, wide=wide)
        for text in told:
            printing.prose(text)


def _found(session: Session, words: str) -> dict[str, Any]:
    kind, slash, name = words.partition("/")
    namespace, decisions = session.invocation.one_namespace, session.client.decisions
    asked: dict[str, Callable[[str, str], dict[str, Any]]] = {
        "device": decisions.why_device,
        "deployment": decisions.why_deployment,
    }
    if slash:
        if kind not in asked:
            raise _invalid(f"{kind} is neither device nor deployment", "shoal why device/NAME")
        return asked[kind](namespace, name)
    found = []
    for ask in asked.values():
        try:
            found.append(ask(namespace, words))
        except NotFoundError:
            continue
    if len(found) > 1:
        hint = f"write device/{words} or deployment/{words}"
        raise _invalid(f"a device and a deployment are called {words}", hint)
    if not found:
        message = f"there is no device and no deployment {words} in namespace {namespace}"
        raise NotFoundError(
            Problem(reason=Reason.NOT_FOUND, message=message, hint="shoal get devices")
        )
    return found[0]


def _deployment(found: Part, *, wide: bool) -> Iterator[str]:
    returned = found["givenUp"] and found["state"] in _GIVEN_UP
    number = found["givenUp"] if returned else found["revision"]
    yield f"deployment {found['deployment']}: revision {number}, {_state(found)}"
    yield from _reasons(found)
    for one in found["cohorts"]:
        yield from _cohort(one, wide=wide)
    yield from _decisions(found)


def _device(found: Part, *, wide: bool) -> Iterator[str]:
    seen = facts.age(found["lastSeen"])
    yield (
        f"device {found['device']}: {found['reach']}, seen {seen} ago, profile {found['profile']},"
        f" class {facts.plain(found['profileClass'])}"
    )
    yield f"  {found['what']}" + (f", {found['because']}" if found["because"] else "")
    if found["waitsFor"]:
        yield f"  waits for: {found['waitsFor']}"
    if not found["deployments"]:
        yield "  no deployment selects it"
    for one in found["deployments"]:
        yield f"deployment {one['deployment']}: {_state(one)}"
        running, told = facts.short_digest(one["running"]), facts.short_digest(one["told"])
        yield f"  runs {running}, was told {told}"
        yield from _reasons(one)
        if one["cohort"] is not None:
            yield from _cohort(one["cohort"], wide=wide)
        yield from _decisions(one)


def _state(found: Part) -> str:
    reason = f" [{found['reason']}]" if found["reason"] else ""
    return f"{printing.status(found['state'])}{reason}"


def _reasons(found: Part) -> Iterator[str]:
    yield f"  {found['what']}"
    if found["because"]:
        yield f"  because {found['because']}"
    if found["waitsFor"]:
        yield f"  waits for: {found['waitsFor']}"


def _cohort(cohort: Part, *, wide: bool) -> Iterator[str]:
    digest = facts.short_digest(cohort["variant"])
    variant = "no feasible variant" if cohort["variant"] is None else f"variant {digest}"
    yield f"  cohort {cohort['name']}: {variant}: {cohort['why']}"
    for one in cohort["variants"]:
        if one["fate"] == "chosen" and not wide:
            continue
        figures = ""
        if wide:
            size, p95 = facts.size(one["bytes"]), facts.milliseconds(one["latencyP95Ms"])
            figures = f" ({size}, score {facts.score(one['score'])}, p95 {p95})"
        digest = facts.short_digest(one["digest"])
        yield f"    {digest} {one['fate']}: {one['why']}{figures}"


def _decisions(found: Part) -> Iterator[str]:
    for key, what in (("frozenBy", "chosen in decision"), ("decision", "last decision")):
        one = found[key]
        if one is not None:
            digest = facts.short_digest(one["snapshotDigest"])
            yield f"  {what} {one['number']}, {facts.age(one['time'])} ago, inputs {digest}"


def _invalid(message: str, hint: str) -> InvalidError:
    return InvalidError(Problem(reason=Reason.INVALID, message=message, hint=hint))
