"""`shoal model import`: a model from elsewhere, fetched here and handed to the controller."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shoal.cli import printing, showing
from shoal.cli.invocation import Output
from shoal.cli.session import Session
from shoal.contract.problem import FailedError, InvalidError, NotFoundError, Problem
from shoal.contract.reason import Reason

if TYPE_CHECKING:
    from shoal.cli.uploads import Uploader

app = typer.Typer(
    name="model",
    help="Bring models from elsewhere.\n\nExample: shoal model import https://host/digits.onnx",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
_DATA = ("calibration", "evaluation", "train")


@app.callback()
def group() -> None:
    """Bring models from elsewhere."""


@app.command("import")
def import_one(
    context: typer.Context,
    url: Annotated[str, typer.Argument(metavar="URL", help="or a file of this machine")],
    name: Annotated[str | None, typer.Option(help="make it the source of this Model")] = None,
    sha256: Annotated[str | None, typer.Option(help="what its bytes must hash to")] = None,
    calibration: Annotated[str | None, typer.Option(help=".npz, for a new Model")] = None,
    evaluation: Annotated[str | None, typer.Option(help=".npz, for a new Model")] = None,
    train: Annotated[str | None, typer.Option(help=".npz, for a new Model")] = None,
) -> None:
    """Fetch a model, check it and upload it; --name makes it a Model's next revision.

    Without --name the digest is printed, for `spec.source` of a manifest. A new Model needs
    --calibration and --evaluation; an existing one keeps its data. This machine fetches, never the
    controller.

    Example: shoal model import https://host/digits.onnx --name digits
    """
    from shoal.cli import uploads
    from shoal.cli.progress import Progress

    session: Session = context.obj
    data = dict(zip(_DATA, (calibration, evaluation, train), strict=True))
    if name is None and (given := [f"--{key}" for key, one in data.items() if one]):
        raise _invalid(f"{given[0]} belongs to a Model", given[0], "give its --name")
    document = _document(session, name, {k: v for k, v in data.items() if v})
    _check(document, url)
    uploader = uploads.Uploader(session.client, Progress())
    digest = _uploaded(uploader, url, sha256)
    if name is None:
        _tell_digest(session, url, digest)
        return
    document["spec"]["source"] = digest
    for key, text in document["spec"]["data"].items():
        if isinstance(text, str) and not text.startswith("sha256:"):
            file = uploads.File(field=f"spec.data.{key}", text=text)
            document["spec"]["data"][key] = uploader.digest(file, Path.cwd())
    applied = session.client.resources.apply(document)
    for warning in applied.warnings:
        printing.note(f"warning: {showing.name(applied.resource)}: {warning}")
    if session.output in {Output.TABLE, Output.WIDE}:
        printing.line(f"{showing.name(applied.resource)} {printing.status(applied.result)}")
    else:
        showing.one(session, applied.resource)


def _check(document: dict[str, Any], url: str) -> None:
    """Refuses what no Model may name, such as a pickle, before anything is fetched."""
    from shoal.resources import parsing

    spec = {**document["spec"], "source": url}
    parsing.parse({**document, "spec": spec})


def _document(session: Session, name: str | None, data: dict[str, str]) -> dict[str, Any]:
    """The manifest of the Model as it is with other data, of a new one, or of one for checks."""
    from shoal.client import kinds

    if name is None:
        spare = {"calibration": "c.npz", "evaluation": "e.npz"}
        return _manifest("imported", "default", {"data": spare})
    namespace = session.invocation.one_namespace
    try:
        known = session.client.resources.get(kinds.MODEL, namespace, name)
    except NotFoundError:
        missing = [key for key in _DATA[:2] if key not in data]
        if missing:
            raise _invalid(
                f"there is no Model {name} yet, and a new one needs --{missing[0]}",
                f"--{missing[0]}",
                "an .npz with one array for each input of the model",
            ) from None
        spec: dict[str, Any] = {"data": data}
    else:
        spec = {**known["spec"], "data": {**known["spec"]["data"], **data}}
    return _manifest(name, namespace, spec)


def _manifest(name: str, namespace: str, spec: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "shoal/v1", "kind": "Model", "metadata": metadata, "spec": spec}


def _uploaded(uploader: "Uploader", url: str, sha256: str | None) -> str:
    """The digest of the model at `url`, once the controller has it."""
    from shoal.cli import uploads
    from shoal.contract import digest

    file = uploads.File(field="spec.source", text=url)
    if sha256 is None:
        if url.startswith("http://"):
            printing.note("warning: fetched over plain http; --sha256 would tell a changed file")
        return uploader.digest(file, Path.cwd())
    wanted = sha256.removeprefix("sha256:").lower()
    with tempfile.TemporaryDirectory(prefix="shoal-import-") as scratch:
        path = uploader.local(file, Path.cwd(), Path(scratch))
        found = digest.of_file(path).removeprefix("sha256:")
        if found != wanted:
            raise FailedError(
                Problem(
                    reason=Reason.DIGEST_MISMATCH,
                    message=f"{url} has the SHA-256 {found}, not {wanted}",
                    field="--sha256",
                    hint="ask whoever published it which file is right",
                )
            )
        return uploader.digest(uploads.File(field="spec.source", text=str(path)), Path.cwd())


def _tell_digest(session: Session, url: str, digest: str) -> None:
    if session.output in {Output.JSON, Output.YAML}:
        printing.document({"source": url, "digest": digest}, session.output)
        return
    printing.line(digest)
    if session.output is not Output.NAME:
        printing.note("uploaded; name this digest as spec.source of a Model")


def _invalid(message: str, field: str, hint: str) -> InvalidError:
    return InvalidError(Problem(reason=Reason.INVALID, message=message, field=field, hint=hint))
