"""Manifests that somebody proposes: read, checked, their files in digests. Nothing is sent yet."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shoal.cli import confirming, printing
from shoal.cli.invocation import Output
from shoal.cli.manifests import Manifest
from shoal.cli.session import Session
from shoal.contract.problem import (
    ExitCode,
    InvalidError,
    NotFoundError,
    Problem,
    ProblemError,
)
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
    problems = [problem for manifest in found for problem in _problems(session, manifest)]
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


def _problems(session: Session, manifest: Manifest) -> list[Problem]:
    """Everything that is wrong with the document, each with its place.

    What it leaves out of a resource that exists, others may have applied: the controller knows.
    """
    from shoal.cli import uploads
    from shoal.resources import kinds, parsing
    from shoal.resources.errors import ManifestError

    try:
        parsing.parse(manifest.document)
    except ManifestError as error:
        wrong = [one for one in error.problems if one not in error.missing]
        if not error.missing or not _exists(session, manifest.document, wrong):
            return [manifest.locate(problem) for problem in error.problems]
        if wrong:
            return [manifest.locate(problem) for problem in wrong]
    kind = manifest.document["kind"]
    if kind not in kinds.WRITTEN_BY_PEOPLE:
        message = f"a {kind} is written by Shoal, not by people"
        refused = Problem(reason=Reason.INVALID, message=message, field="kind")
        return [manifest.locate(refused)]
    return [manifest.locate(one) for one in uploads.missing(manifest)]


def _exists(session: Session, document: dict[str, Any], wrong: Sequence[Problem]) -> bool:
    """Whether there is such a resource already; not where its name is what is `wrong`."""
    from shoal.client import kinds

    if any((one.field or "").startswith("metadata") for one in wrong):
        return False
    metadata = document["metadata"]
    namespace = metadata.get("namespace", session.invocation.one_namespace)
    try:
        session.client.resources.get(kinds.named(document["kind"]), namespace, metadata["name"])
    except NotFoundError:
        return False
    return True


def _agree_to_fetch(found: Sequence[Manifest], *, yes: bool) -> None:
    """Asks before anything is downloaded, where somebody can answer."""
    from shoal.cli import uploads

    if urls := [url for manifest in found for url in uploads.urls(manifest)]:
        confirming.agree_to_fetch(urls, yes=yes)
