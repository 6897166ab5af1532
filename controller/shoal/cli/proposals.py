"""Manifests that somebody proposes: read, checked, their files in digests. Nothing is sent yet."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shoal.cli import confirming, printing
from shoal.cli.invocation import Output
from shoal.cli.manifests import Manifest
from shoal.cli.session import Session
from shoal.contract.problem import ExitCode, InvalidError, Problem, ProblemError
from shoal.contract.reason import Reason

if TYPE_CHECKING:
    from shoal.cli.uploads import Uploader

# The options of every command that reads manifests.
Sources = Annotated[
    list[str], typer.Option("-f", "--filename", help="file, folder, or - for stdin")
]
Yes = Annotated[bool, typer.Option("--yes", help="fetch URLs without asking")]

# What others refer to comes first, whatever the order in the files.
_ORDER = ("DeviceProfile", "Device", "Model", "Deployment")


def checked(session: Session, sources: Sequence[str], *, yes: bool) -> list[Manifest]:
    """The documents of these files, in the order in which they are to be applied.

    Everything that is wrong with any of them is told at once, and ends the command.

    Raises:
        InvalidError: there is no document.
    """
    from shoal.cli import manifests

    found = manifests.load(sources)
    if not found:
        message = "there is no document in the manifests"
        raise InvalidError(
            Problem(reason=Reason.INVALID, message=message, hint="see `shoal explain model`")
        )
    problems = [problem for manifest in found for problem in _problems(manifest)]
    if problems:
        printing.problem(problems[0], as_json=session.output is Output.JSON, more=problems[1:])
        only_absent = {one.reason for one in problems} == {Reason.NOT_FOUND}
        raise typer.Exit(ExitCode.NOT_FOUND if only_absent else ExitCode.INVALID)
    _agree_to_fetch(found, yes=yes)
    return sorted(found, key=lambda one: _ORDER.index(one.document["kind"]))


def resolved(session: Session, manifest: Manifest, uploader: "Uploader") -> dict[str, Any]:
    """The document as the controller takes it: digests for files, a namespace."""
    document = uploader.resolved(manifest)
    document["metadata"].setdefault("namespace", session.invocation.one_namespace)
    return document


def planned(session: Session, sources: Sequence[str], *, yes: bool, force: bool) -> dict[str, Any]:
    """What applying these files would do, as the controller foresees it; nothing is written."""
    from shoal.cli.progress import Progress
    from shoal.cli.uploads import Measurer
    from shoal.client.decisions import PLAN_S

    found = checked(session, sources, yes=yes)
    measurer = Measurer(session.client, Progress())
    documents = [resolved(session, one, measurer) for one in found]
    try:
        patience_s = session.invocation.timeout_s or PLAN_S
        return session.client.decisions.plan(documents, force=force, patience_s=patience_s)
    except ProblemError as error:
        if error.problem.field is None or len(found) != 1:
            raise
        raise type(error)(found[0].locate(error.problem)) from error


def _problems(manifest: Manifest) -> list[Problem]:
    """Everything that is wrong with the document, each with its place."""
    from shoal.cli import uploads
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
    return [manifest.locate(one) for one in uploads.missing(manifest)]


def _agree_to_fetch(found: Sequence[Manifest], *, yes: bool) -> None:
    """Asks before anything is downloaded, where somebody can answer."""
    from shoal.cli import uploads

    if urls := [url for manifest in found for url in uploads.urls(manifest)]:
        confirming.agree_to_fetch(urls, yes=yes)
