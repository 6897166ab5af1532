"""`shoal doctor`: what keeps this program or the fleet from working, and what to do about it."""

import enum
import importlib.metadata
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import typer

from shoal.cli import evidence, facts, printing, verbs
from shoal.cli.facts import Resource
from shoal.cli.invocation import Output
from shoal.cli.session import Session
from shoal.contract.problem import ExitCode, ProblemError

if TYPE_CHECKING:
    from shoal.client.client import Answered
    from shoal.client.kinds import Kind

_SKEW_S = 5.0
_SLOW_MS = 1000.0
_NAMED = 5


class Health(enum.StrEnum):
    """How bad it is: a warning keeps the exit code 0."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at; `hint` is empty where nothing is to be done."""

    name: str
    health: Health
    message: str
    hint: str = ""


def command(context: typer.Context) -> None:
    """Look at this program, the controller and the fleet; exit 1 where something fails.

    A controller that does not answer is exit 5. Warnings leave the exit code 0.

    Example: shoal doctor
    """
    session: Session = context.obj
    here = list(_here(session))
    try:
        answered = session.client.probe()
    except ProblemError as error:
        problem = error.problem
        unanswered = Check(
            name="controller",
            health=Health.FAIL,
            message=problem.message,
            hint=problem.hint or "",
        )
        _report(session, [*here, unanswered])
        raise typer.Exit(error.exit_code) from None
    checks = [*here, *_controller(answered), *_fleet(session)]
    _report(session, checks)
    if any(one.health is Health.FAIL for one in checks):
        raise typer.Exit(ExitCode.FAILED)


def _here(session: Session) -> Iterator[Check]:
    """This program, its extras, and whom it speaks to."""
    python = ".".join(map(str, sys.version_info[:3]))
    mine = importlib.metadata.version("shoal")
    yield Check(name="program", health=Health.OK, message=f"shoal {mine}, Python {python}")
    absent = sorted(set(verbs.OPTIONAL) - set(verbs.command_names()))
    extras = f"without {', '.join(absent)}" if absent else "every command"
    yield Check(name="commands", health=Health.OK, message=extras)
    asked = session.invocation
    message = f"{asked.server} (from {asked.because}), namespace {asked.namespace or 'all'}"
    yield Check(name="context", health=Health.OK, message=message)


def _controller(answered: "Answered") -> Iterator[Check]:
    theirs, mine = answered.version, importlib.metadata.version("shoal")
    took = f"version {theirs}, answered in {answered.latency_ms:.0f} ms"
    slow = answered.latency_ms > _SLOW_MS
    yield Check(
        name="controller",
        health=Health.WARN if slow or theirs != mine else Health.OK,
        message=took,
        hint=f"this program is {mine}: use the same version" if theirs != mine else "",
    )
    skew_s = answered.skew_s
    if skew_s is not None:
        wrong = abs(skew_s) > _SKEW_S
        behind = "ahead of" if skew_s > 0 else "behind"
        yield Check(
            name="clock",
            health=Health.WARN if wrong else Health.OK,
            message=f"the controller's is {abs(skew_s):.0f} s {behind} this one"
            if wrong
            else "the same here and there",
            hint="set both by NTP: ages and certificates depend on it" if wrong else "",
        )


def _fleet(session: Session) -> Iterator[Check]:
    from shoal.client import kinds

    looks: Sequence[tuple[Kind, Callable[[Sequence[Resource]], Check]]] = (
        (kinds.DEVICE, _devices),
        (kinds.MODEL, _models),
        (kinds.DEPLOYMENT, _deployments),
    )
    for kind, look in looks:
        try:
            yield look(_everything(session, kind))
        except ProblemError as error:
            yield Check(
                name=kind.plural,
                health=Health.FAIL,
                message=error.problem.message,
                hint=error.problem.hint or "",
            )


def _everything(session: Session, kind: "Kind") -> Sequence[Resource]:
    from shoal.client.resources import Scope

    scope = Scope(namespace=session.invocation.namespace)
    return session.client.resources.list(kind, scope).items


def _devices(devices: Sequence[Resource]) -> Check:
    away = [one for one in devices if facts.condition(one, "Ready").get("status") != "True"]
    hint = f"shoal describe device {away[0]['metadata']['name']}" if away else ""
    if not devices:
        hint = "shoal token create prints a join token for an agent"
    return _counted("devices", devices, away, ("ready", hint))


def _models(models: Sequence[Resource]) -> Check:
    wrong = [one for one in models if facts.condition(one, "Ready").get("status") == "False"]
    hint = f"shoal describe model {wrong[0]['metadata']['name']}" if wrong else ""
    return _counted("models", models, wrong, ("without a fault", hint))


def _deployments(deployments: Sequence[Resource]) -> Check:
    bad = {"held", "failed", "rolled-back", "aborted"}
    wrong = [one for one in deployments if facts.at(one, "status.result") in bad]
    hint = f"shoal rollout status {wrong[0]['metadata']['name']}" if wrong else ""
    return _counted("deployments", deployments, wrong, ("without a fault", hint))


def _counted(
    name: str, every: Sequence[Resource], wrong: Sequence[Resource], said: tuple[str, str]
) -> Check:
    """`7 of 9 ready; not: cam-3, cam-4`."""
    good, hint = said
    if not every:
        return Check(name=name, health=Health.OK, message="none yet", hint=hint)
    message = f"{len(every) - len(wrong)} of {evidence.count(len(every), name[:-1])} {good}"
    if wrong:
        names = [str(one["metadata"]["name"]) for one in wrong]
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        message += f"; not: {', '.join(names[:_NAMED])}{more}"
    return Check(name=name, health=Health.WARN if wrong else Health.OK, message=message, hint=hint)


def _report(session: Session, checks: Sequence[Check]) -> None:
    if session.output in {Output.JSON, Output.YAML}:
        healthy = all(one.health is not Health.FAIL for one in checks)
        told = [{**asdict(one), "health": one.health.value} for one in checks]
        printing.document({"healthy": healthy, "checks": told}, session.output)
        return
    if session.output is Output.NAME:
        for one in checks:
            if one.health is not Health.OK:
                printing.line(one.name)
        return
    room = max(len(one.name) for one in checks)
    columns, _rows = printing.room()
    for one in checks:
        word, under = one.health.value, " " * (8 + room)
        first, *rest = printing.wrapped(
            one.message, f"{word:<4}  {one.name:<{room}}  ", under, columns
        )
        printing.line(first.replace(word, printing.status(word), 1))
        hint = printing.wrapped(f"try: {one.hint}", under, f"{under}     ", columns)
        for text in [*rest, *(hint if one.hint else ())]:
            printing.line(text)
