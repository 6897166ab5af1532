"""Files that a Model names: found beside the manifest, folded, uploaded, replaced by digests."""

import contextlib
import copy
import dataclasses
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shoal.cli.manifests import Manifest
from shoal.contract import digest as digests
from shoal.contract import limits
from shoal.contract.problem import FailedError, InvalidError, NotFoundError, Problem
from shoal.contract.reason import Reason

if TYPE_CHECKING:
    from shoal.cli.progress import Progress
    from shoal.client.client import Client

_DIGEST_PREFIX = "sha256:"
_DATA = ("calibration", "evaluation", "train")
_FETCH_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One file that a manifest names: the field, and what stands there."""

    field: str
    text: str


class Uploader:
    """Replaces the files of Models by digests, sending what the controller does not have."""

    def __init__(self, client: "Client", progress: "Progress") -> None:
        self._client = client
        self._progress = progress

    def resolved(self, manifest: Manifest) -> dict[str, Any]:
        """The document with a digest in place of every path and URL.

        Raises:
            ProblemError: a file is missing, unreadable, no model or too large for an asset; says
            where it is named.
        """
        document: dict[str, Any] = copy.deepcopy(manifest.document)
        if document.get("kind") != "Model":
            return document
        for file in _files(document):
            try:
                digest = self.digest(file, manifest.folder)
            except (InvalidError, NotFoundError, FailedError) as error:
                located = manifest.locate(_at(error.problem, file.field))
                raise type(error)(located) from error
            _replace(document, file, digest)
        return document

    def digest(self, file: File, folder: Path) -> str:
        """The digest of one file of a Model, once the controller has it."""
        with (
            tempfile.TemporaryDirectory(prefix="shoal-") as scratch,
            contextlib.ExitStack() as rest,
        ):
            path = self.local(file, folder, Path(scratch))
            if file.field == "spec.source":
                from shoal.client import modelfile

                path = modelfile.prepared(path, Path(scratch))
            elif file.field.startswith("spec.assets"):
                _check_size(path)
            report = rest.enter_context(self._progress.of(Path(file.text).name))
            return self._kept(path, report)

    def _kept(self, path: Path, report: Callable[[int, int], None]) -> str:
        """The digest of the file, which the controller then has."""
        return self._client.blobs.upload(path, progress=report)

    def local(self, file: File, folder: Path, scratch: Path) -> Path:
        """Where the file lies on this machine; what a URL names is fetched into `scratch`."""
        if _is_url(file.text):
            return _fetched(file.text, scratch)
        path = folder / file.text
        if not path.is_file():
            error = InvalidError if "://" in file.text else NotFoundError
            raise error(_absent(path, file))
        return path


class Measurer(Uploader):
    """Replaces the files of Models by digests and sends nothing: for plans and dry runs."""

    def _kept(self, path: Path, report: Callable[[int, int], None]) -> str:
        size = path.stat().st_size
        digest = digests.of_file(path)
        report(size, size)
        return digest


def urls(manifest: Manifest) -> list[str]:
    """The URLs that a checked manifest names."""
    if manifest.document.get("kind") != "Model":
        return []
    return [file.text for file in _files(manifest.document) if _is_url(file.text)]


def missing(manifest: Manifest) -> list[Problem]:
    """What a checked manifest names and this machine does not have, each with its field."""
    if manifest.document.get("kind") != "Model":
        return []
    local = ((file, manifest.folder / file.text) for file in _files(manifest.document))
    return [
        _at(_absent(path, file), file.field, "paths are relative to the manifest's folder")
        for file, path in local
        if not _is_url(file.text) and not path.is_file()
    ]


def _is_url(text: str) -> bool:
    return text.startswith(("http://", "https://"))


def _files(document: dict[str, Any]) -> Iterator[File]:
    """The files of a checked Model, or of a part of one, that are not digests yet."""
    spec = document.get("spec") or {}
    data = spec.get("data") or {}
    named = [("spec.source", spec.get("source"))]
    named += [(f"spec.data.{name}", data.get(name)) for name in _DATA]
    named += [(f"spec.assets[{i}]", text) for i, text in enumerate(spec.get("assets") or [])]
    for field, text in named:
        if text is not None and _DIGEST_PREFIX not in text:
            yield File(field=field, text=text)


def _check_size(asset: Path) -> None:
    if asset.stat().st_size > limits.ASSET_BYTES:
        raise InvalidError(
            Problem(
                reason=Reason.INVALID,
                message=f"{asset} has {asset.stat().st_size} bytes, an asset at most "
                f"{limits.ASSET_BYTES}",
                hint="assets travel to every device with every variant: keep them small",
            )
        )


def _replace(document: dict[str, Any], file: File, digest: str) -> None:
    from shoal.resources.model import asset_name

    spec = document["spec"]
    _, group, *rest = file.field.split(".")
    if group == "source":
        spec["source"] = digest
    elif group == "data":
        spec["data"][rest[0]] = digest
    else:
        index = int(group.removeprefix("assets[").rstrip("]"))
        spec["assets"][index] = f"{asset_name(file.text)}={digest}"


def _absent(path: Path, file: File) -> Problem:
    """Why there is nothing at `path`, where `file` ought to be."""
    scheme, is_address, _rest = file.text.partition("://")
    if is_address:
        message = f"{scheme}:// is no address that is fetched from: http:// and https:// are"
        hint = "a file of this machine is named by its path alone"
        return Problem(reason=Reason.INVALID, message=message, hint=hint)
    return Problem(reason=Reason.NOT_FOUND, message=f"there is no file {path}")


def _at(problem: Problem, field: str, hint: str | None = None) -> Problem:
    """`problem` with the field that it is about, and with `hint` where it has none."""
    return dataclasses.replace(problem, field=field, hint=problem.hint or hint)


def _not_fetched(url: str, why: str) -> FailedError:
    message = f"{url} could not be fetched: {why}"
    return FailedError(Problem(reason=Reason.FETCH_FAILED, message=message))


def _fetched(url: str, scratch: Path) -> Path:
    """What `url` answers with, in a file of the same name in `scratch`."""
    import httpx

    from shoal.client import errors

    target = scratch / (Path(httpx.URL(url).path).name or "download")
    size = 0
    try:
        with (
            httpx.stream("GET", url, follow_redirects=True, timeout=_FETCH_S) as answer,
            target.open("wb") as file,
        ):
            answer.raise_for_status()
            for block in answer.iter_bytes():
                size += len(block)
                if size > limits.MODEL_BYTES:
                    raise InvalidError(
                        Problem(
                            reason=Reason.INVALID,
                            message=f"{url} is larger than {limits.MODEL_BYTES} bytes",
                        )
                    )
                file.write(block)
    except httpx.HTTPStatusError as error:
        raise _not_fetched(url, f"it answered {error.response.status_code}") from error
    except httpx.HTTPError as error:
        raise _not_fetched(url, errors.why(error)) from error
    return target
