"""`shoal apply`: make the fleet as the manifests say. The unchanged file changes nothing."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from shoal.cli import printing, showing
from shoal.cli.invocation import Output
from shoal.cli.manifests import Manifest
from shoal.cli.session import Session
from shoal.contract.problem import ExitCode, InvalidError, Problem, ProblemError
from shoal.contract.reason import Reason

if TYPE_CHECKING:
    from shoal.client.resources import Applied

# What others refer to comes first, whatever the order in the files.
_ORDER = ("DeviceProfile", "Device", "Model", "Deployment")


def command(
    context: typer.Context,
    sources: Annotated[
        list[str], typer.Option("-f", "--filename", help="file, folder, or - for stdin")
    ],
    dry_run: Annotated[
        str | None, typer.Option("--dry-run", help="server: check and say, change nothing")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="fetch URLs without asking")] = False,
) -> None:
    """Make the fleet as the manifests say; the unchanged file applied again changes nothing.

    Example: shoal apply -f examples/digits
    """
    from shoal.cli import manifests

    session: Session = context.obj
    if dry_run not in {None, "server"}:
        raise _invalid(f"--dry-run: there is no {dry_run!r}", "write --dry-run server")
    found = manifests.load(sources)
    if not found:
        raise _invalid("there is no document in the manifests", "see `shoal explain model`")
    problems = [problem for manifest in found for problem in _problems(manifest)]
    if problems:
        printing.problem(problems[0], as_json=session.output is Output.JSON, more=problems[1:])
        raise typer.Exit(ExitCode.INVALID)
    _agree_to_fetch(found, yes=yes)
    _report(session, _applied(session, found, dry_run=dry_run is not None), dry_run=dry_run)


def _problems(manifest: Manifest) -> list[Problem]:
    """Everything that is wrong with the document, each with its place."""
    from shoal.resources import kinds, parsing
    from shoal.resources.errors import ManifestError

    try:
        kind = parsing.parse(manifest.document).kind
    except ManifestError as error:
        return [manifest.locate(problem) for problem in error.problems]
    if kind not in kinds.WRITTEN_BY_PEOPLE:
        message = f"a {kind} is written by Shoal, not by people"
        wrong = Problem(reason=Reason.INVALID, message=message, field="kind")
        return [manifest.locate(wrong)]
    return []


def _agree_to_fetch(found: Sequence[Manifest], *, yes: bool) -> None:
    """Asks before anything is downloaded, where somebody can answer."""
    import sys

    from shoal.cli import uploads

    urls = [url for manifest in found for url in uploads.urls(manifest)]
    if urls and not yes and sys.stdin.isatty():
        typer.confirm(f"fetch {', '.join(urls)}?", abort=True, err=True)


def _applied(session: Session, found: Sequence[Manifest], *, dry_run: bool) -> "list[Applied]":
    from shoal.cli import uploads
    from shoal.cli.progress import Progress

    namespace = session.invocation.one_namespace
    uploader = uploads.Uploader(session.client, Progress())
    results = []
    for manifest in sorted(found, key=lambda one: _ORDER.index(one.document["kind"])):
        document = uploader.resolved(manifest)
        document["metadata"].setdefault("namespace", namespace)
        try:
            result = session.client.resources.apply(document, dry_run=dry_run)
        except ProblemError as error:
            if error.problem.field is None:
                raise
            raise type(error)(manifest.locate(error.problem)) from error
        for warning in result.warnings:
            printing.note(f"warning: {showing.name(result.resource)}: {warning}")
        if session.output in {Output.TABLE, Output.WIDE, Output.NAME}:
            _say(session, result, dry_run=dry_run)
        results.append(result)
    return results


def _say(session: Session, result: "Applied", *, dry_run: bool) -> None:
    name = showing.name(result.resource)
    if session.output is Output.NAME:
        printing.line(name)
    else:
        note = " (dry run)" if dry_run else ""
        printing.line(f"{name} {printing.status(result.result)}{note}")


def _report(session: Session, results: "list[Applied]", *, dry_run: str | None) -> None:
    if session.output not in {Output.JSON, Output.YAML}:
        return
    items = [
        {"result": one.result, "object": one.resource, "warnings": list(one.warnings)}
        for one in results
    ]
    document = {"items": items, "continue": None, "dryRun": dry_run is not None}
    printing.document(document, session.output)


def _invalid(message: str, hint: str) -> InvalidError:
    return InvalidError(Problem(reason=Reason.INVALID, message=message, hint=hint))
