"""Compression jobs: `shoal-compress` as a child process, one at a time, keyed by what goes in.

The controller never parses a model: it hands files to a child of lower priority and reads the
report. A finished job's folder is its cache, kept for a time after its last use; an unfinished one
is run again, and the compressor's own journal resumes it.
"""

import asyncio
import contextlib
import ctypes
import hashlib
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from shoal.contract.digest import Digest
from shoal.contract.problem import FailedError, Problem
from shoal.contract.profile import ClassProfile
from shoal.contract.reason import Reason

_NICE = 5
_STDERR_KEPT = 4_000
_ENDING_S = 10.0
_FORM = 2  # raised when what a job writes changes, so that old folders are not reused
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)  # loaded here, because little is safe between fork and exec


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRequest:
    """Everything that decides the outcome of one search; equal requests are one job.

    `files` maps option names (`model`, `calibration`, `evaluation`, `train`) to blobs. `quality` is
    the Model's quality spec, `compression` its compression spec. `memory_bytes` is what a variant
    may take where nothing whole is to be cut into stages otherwise; None cuts nothing.
    """

    files: tuple[tuple[str, Digest], ...]
    quality: tuple[tuple[str, str | float | None], ...]
    compression: tuple[tuple[str, str | int | tuple[str, ...]], ...]
    golden: int
    profile: ClassProfile
    memory_bytes: int | None = None

    @property
    def key(self) -> str:
        """32 hexadecimal digits of the SHA-256 of the request."""
        text = json.dumps([_FORM, asdict(self)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobResult:
    """A finished job: its report, and the folder that the report's file names are relative to."""

    report: Mapping[str, Any]
    folder: Path


class Jobs(Protocol):
    """Runs searches."""

    async def run(self, request: JobRequest) -> JobResult:
        """The result of `request`, at once if it was run before.

        Raises:
            FailedError: the compressor refused the input, is not installed, or crashed.
        """
        ...


class ProcessJobs:
    """Jobs as child processes of this one, under `root`, with blobs from `blob_path`.

    A folder goes that was not used for `kept_s`.
    """

    def __init__(self, root: Path, blob_path: "BlobPath", kept_s: float) -> None:
        self._root = root
        self._blob_path = blob_path
        self._kept_s = kept_s
        self._one_at_a_time = asyncio.Semaphore(1)

    async def run(self, request: JobRequest) -> JobResult:
        """See `Jobs.run`."""
        folder = self._root / request.key
        report = folder / "out" / "report.json"
        async with self._one_at_a_time:
            if not await asyncio.to_thread(_is_whole, folder):
                command = await asyncio.to_thread(self._prepare, folder, request)
                await _run_child(command)
            # Also where it was run before: what is used stays.
            await asyncio.to_thread((folder / "done").touch)
            text = await asyncio.to_thread(report.read_text, "utf-8")
            await asyncio.to_thread(self._forget_old, folder)
        return JobResult(report=json.loads(text), folder=report.parent)

    def _forget_old(self, in_use: Path) -> None:
        """Remove jobs of long ago; what they found is in the store and blobs.

        Never the one whose files are about to be read, whatever the clock was set to meanwhile.
        """
        before = time.time() - self._kept_s
        for inputs in self._root.glob("*/in"):
            done = inputs.with_name("done")
            used = done if done.exists() else inputs  # what never ended was begun anew at its use
            if inputs.parent != in_use and used.stat().st_mtime < before:
                # First, so that half a folder is never taken for a finished job.
                done.unlink(missing_ok=True)
                shutil.rmtree(inputs.parent, ignore_errors=True)

    def _prepare(self, folder: Path, request: JobRequest) -> list[str]:
        inputs = folder / "in"
        inputs.mkdir(parents=True, exist_ok=True)
        paths = {}
        for name, digest in request.files:
            # A model without a suffix is told by its first bytes, whatever it was called once.
            paths[name] = inputs / (name if name == "model" else f"{name}.npz")
            _place(self._blob_path(digest), paths[name])
        profile = inputs / "profile.json"
        profile.write_text(json.dumps(_manifest(request)), "utf-8")
        return [_program(), *_arguments(request, paths, profile, folder / "out")]


class BlobPath(Protocol):
    """Finds a blob's file."""

    def __call__(self, digest: Digest) -> Path:
        """The path of the blob; it must not be written to."""
        ...


def _arguments(
    request: JobRequest, paths: Mapping[str, Path], profile: Path, out: Path
) -> list[str]:
    quality, compression = dict(request.quality), dict(request.compression)
    methods = compression["methods"]
    assert isinstance(methods, tuple)
    arguments = [str(paths["model"])]
    for name in ("calibration", "evaluation", "train"):
        if name in paths:
            arguments += [f"--{name}", str(paths[name])]
    arguments += ["--metric", str(quality["metric"]), "--floor", str(quality["floor"])]
    # A Model may state both floors; the stricter one is applied to the archive by the controller.
    if quality["maxDrop"] is not None:
        arguments += ["--max-drop", str(quality["maxDrop"])]
    elif quality["minScore"] is not None:
        arguments += ["--min-score", str(quality["minScore"])]
    arguments += ["--profile", str(profile), "--methods", ",".join(methods)]
    # Named here too, because then an engine that is not installed is refused with what to install.
    arguments += ["--engines", ",".join(request.profile.engines)]
    for name in ("objective", "effort", "seed"):
        arguments += [f"--{name}", str(compression[name])]
    return [*arguments, "--golden", str(request.golden), "--out", str(out), "-o", "json"]


def _is_whole(folder: Path) -> bool:
    """Whether the job was finished and its report can still be read, with every file it names.

    A job whose cache was damaged would otherwise fail in every try.
    """
    if not (folder / "done").exists():
        return False
    try:
        report = json.loads((folder / "out" / "report.json").read_text("utf-8"))
        rows = [*report["pareto"], *(row.get("reference") for row in report["pareto"])]
        files = [one["file"] for one in (*rows, report.get("golden")) if one]
    except (OSError, ValueError, LookupError, TypeError):
        return False
    return all((folder / "out" / one).is_file() for one in files)


def _manifest(request: JobRequest) -> dict[str, Any]:
    profile, memory = request.profile, request.memory_bytes
    return {
        "apiVersion": "shoal/v1",
        "kind": "DeviceProfile",
        "metadata": {"name": profile.name},
        "spec": {
            "budget": {} if memory is None else {"memory": f"{memory}B"},
            "hardware": {"arch": profile.arch, "isa": list(profile.isa)},
            "runtime": {
                "engines": list(profile.engines),
                "providers": list(profile.providers),
                "threads": profile.threads,
                "precisions": list(profile.precisions),
            },
        },
    }


async def _run_child(command: list[str]) -> None:
    """Run the compressor to its end; a cancelled caller ends it too."""
    child = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        preexec_fn=_as_background_child,
    )
    try:
        stdout, stderr = await child.communicate()
    finally:
        if child.returncode is None:
            await _end(child)
    if child.returncode != 0 and not _is_infeasible(stdout):
        raise FailedError(_problem(child.returncode or 0, stdout, stderr))


async def _end(child: asyncio.subprocess.Process) -> None:
    """Ends the compressor, which takes its own children with it when it is asked to end."""
    child.terminate()
    try:
        await asyncio.wait_for(child.wait(), _ENDING_S)
    except TimeoutError:
        child.kill()
        await child.wait()


def _is_infeasible(stdout: bytes) -> bool:
    """A search that found nothing feasible has still written its whole report."""
    return _error(stdout).get("reason") == Reason.NO_FEASIBLE_VARIANT


def _problem(code: int, stdout: bytes, stderr: bytes) -> Problem:
    error = _error(stdout)
    if error:
        return Problem(
            reason=str(error.get("reason", Reason.INTERNAL)),
            message=str(error.get("message", "")),
            field=error.get("field"),
            location=error.get("location"),
            hint=error.get("hint"),
        )
    tail = stderr.decode(errors="replace")[-_STDERR_KEPT:].strip()
    return Problem(
        reason=Reason.CRASHED,
        message=f"shoal-compress ended with exit code {code}: {tail or 'it said nothing'}",
        hint="run the same command by hand in the job's folder to see more",
    )


def _error(stdout: bytes) -> dict[str, Any]:
    with contextlib.suppress(ValueError):
        document = json.loads(stdout)
        if isinstance(document, dict) and isinstance(document.get("error"), dict):
            return dict(document["error"])
    return {}


def _program() -> str:
    beside = Path(sys.executable).parent / "shoal-compress"
    found = str(beside) if beside.exists() else shutil.which("shoal-compress")
    if found is None:
        raise FailedError(
            Problem(
                reason=Reason.MISSING_EXTRA,
                message="the compressor is not installed beside the controller",
                hint="pip install 'shoal[compressor]'",
            )
        )
    return found


def _place(blob: Path, target: Path) -> None:
    """Give a blob a name with a suffix; a hard link where the file system has them."""
    target.unlink(missing_ok=True)
    try:
        os.link(blob, target)
    except OSError:
        shutil.copyfile(blob, target)


def _as_background_child() -> None:  # pragma: no cover - runs between fork and exec
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    os.nice(_NICE)
