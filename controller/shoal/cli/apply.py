"""`shoal apply`: make the fleet as the manifests say. The unchanged file changes nothing."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from shoal.cli import printing, proposals, showing
from shoal.cli.facts import Resource
from shoal.cli.invocation import Output
from shoal.cli.manifests import Manifest
from shoal.cli.session import Session
from shoal.contract.problem import InvalidError, Problem, ProblemError
from shoal.contract.reason import Reason

if TYPE_CHECKING:
    from shoal.client.resources import Applied


def command(
    context: typer.Context,
    sources: proposals.Sources,
    dry_run: Annotated[
        str | None, typer.Option("--dry-run", help="server: check and plan, change nothing")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="take fields over that others applied")
    ] = False,
    yes: proposals.Yes = False,
) -> None:
    """Make the fleet as the manifests say; the unchanged file applied again changes nothing.

    Fields that the file does not name stay as others applied them. A field that somebody else
    applied with another value is a conflict that names the user; --force takes it over.

    Example: shoal apply -f examples/digits
    """
    session: Session = context.obj
    if dry_run not in {None, "server"}:
        raise _invalid(f"--dry-run: there is no {dry_run!r}", "write --dry-run server")
    if dry_run is None:
        found = proposals.checked(session, sources, yes=yes)
        _report(session, _applied(session, found, force=force))
    else:
        _dry(session, sources, yes=yes, force=force)


def _applied(session: Session, found: Sequence[Manifest], *, force: bool) -> "list[Applied]":
    from shoal.cli import uploads
    from shoal.cli.progress import Progress

    uploader = uploads.Uploader(session.client, Progress())
    results: list[Applied] = []
    for manifest in found:
        document = proposals.resolved(session, manifest, uploader)
        try:
            result = session.client.resources.apply(document, force=force)
        except ProblemError as error:
            done = [f"{showing.name(one.resource)} {one.result}" for one in results]
            session.add_done(error, done)
            if error.problem.field is None:
                raise
            raise type(error)(manifest.locate(error.problem)) from error
        _say(session, result.resource, result.result, result.warnings)
        results.append(result)
    return results


def _dry(session: Session, sources: Sequence[str], *, yes: bool, force: bool) -> None:
    """What apply would do, and what the fleet would do then; nothing is sent but the documents."""
    from shoal.cli import forecasts

    plan = proposals.planned(session, sources, yes=yes, force=force)
    for one in plan["resources"]:
        _say(session, one["object"], f"{one['result']} (dry run)", one["warnings"])
    if session.output in {Output.JSON, Output.YAML}:
        items = [{key: one[key] for key in _SHOWN} for one in plan["resources"]]
        told = {"items": plan["items"], "searches": plan["searches"]}
        document = {"items": items, "continue": None, "dryRun": True, "plan": told}
        printing.document(document, session.output)
    elif session.output is not Output.NAME:
        for text in forecasts.lines(plan):
            printing.prose(text)


_SHOWN = ("result", "object", "warnings")


def _say(session: Session, resource: Resource, result: str, warnings: Sequence[str]) -> None:
    name = showing.name(resource)
    for warning in warnings:
        printing.note(f"warning: {name}: {warning}")
    if session.output is Output.NAME:
        printing.line(name)
    elif session.output in {Output.TABLE, Output.WIDE}:
        word, _, rest = result.partition(" ")
        printing.line(f"{name} {printing.status(word)} {rest}".rstrip())


def _report(session: Session, results: "list[Applied]") -> None:
    if session.output not in {Output.JSON, Output.YAML}:
        return
    items = [
        {"result": one.result, "object": one.resource, "warnings": list(one.warnings)}
        for one in results
    ]
    printing.document({"items": items, "continue": None, "dryRun": False}, session.output)


def _invalid(message: str, hint: str) -> InvalidError:
    return InvalidError(Problem(reason=Reason.INVALID, message=message, hint=hint))
