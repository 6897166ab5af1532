"""Runs a job in a worker process and outlives it: a candidate that kills the worker is one row.

The worker marks in the cache what it is building. When it dies without a last word (out of memory,
a crash in native code, kill -9), the supervisor condemns what was marked and starts another worker,
which finds everything else in the cache and goes on.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, TextIO

from shoal.compressor import errors
from shoal.compressor.process import memory
from shoal.compressor.process.messages import OUT_OF_MEMORY, told_error
from shoal.compressor.progress import Progress
from shoal.contract.problem import FailedError, Problem

_DEATHS_AT_MOST: Final = 40
_NOBODY_YET: Final = "nobody yet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Death:
    """A worker's end without a last word: its process id, and how it came about.

    `is_its_own` where nothing outside can have caused it: a crash, not a kill or lack of memory.
    """

    worker: int
    how: str
    is_its_own: bool


def run(given: dict[str, Any], cache: Path, memory_bytes: int | None, progress: Progress) -> None:
    """Does the job that `given` (the fields of `options.Asked`) describes; its report is in --out.

    `memory_bytes` bounds the worker; None leaves the machine a tenth of what it has.

    Raises:
        ProblemError: what the worker says is wrong, or FailedError where workers die over and over.
        StoppedError: interrupted twice, or before there was anything to report.
    """
    order = {**given, "memory_bytes": memory.allowance_bytes(memory_bytes)}
    with tempfile.TemporaryDirectory(prefix="shoal-", ignore_cleanup_errors=True) as scratch:
        _until_done(order, cache, Path(scratch), progress)


def _until_done(order: dict[str, Any], cache: Path, scratch: Path, progress: Progress) -> None:
    suspect: Any = _NOBODY_YET
    for _ in range(_DEATHS_AT_MOST):
        with tempfile.TemporaryFile("w+") as log:
            end = _one_worker(order, scratch, progress, log)
            if end is None:
                return
            making = _blamed(cache, end, suspect)
            if making is None and suspect is None:
                raise _dead(end.how, _last_line(log))
            suspect = making
        progress.tell(f"  the worker {end.how}; starting another")
    raise _dead("died again and again", "")


def _blamed(cache: Path, end: "Death", suspect: Any) -> Any | None:
    """What the worker was making when it died; None where it was nothing that can be left out.

    The first death may have been anybody's doing, so the next worker tries the same again; a second
    one on the same candidate condemns it, and a second one outside of any ends the run.
    """
    from shoal.compressor.search.cache import Cache  # noqa: PLC0415 - only when something died

    known = Cache(cache)
    making = known.doing(end.worker)
    if making is not None and making == suspect:
        reason = f"the process that built it {end.how}"
        known.condemn(reason, end.worker, lasting=end.is_its_own)
    return making


def _one_worker(
    order: dict[str, Any], scratch: Path, progress: Progress, log: TextIO
) -> Death | None:
    """How the worker died; None where it did the job. Its temporary files lie in `scratch`."""
    reader, writer = os.pipe()
    with _interrupts_held(), os.fdopen(reader) as messages:
        worker = subprocess.Popen(
            [sys.executable, "-m", "shoal.compressor.process.worker", str(writer)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            env={**os.environ, "TMPDIR": str(scratch)},
            pass_fds=(writer,),
            start_new_session=True,  # Ctrl-C of the terminal comes through us, once
            text=True,
        )
        os.close(writer)
        try:
            _hand_over(worker.stdin, order)
            done = _follow(worker, messages, progress)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(worker.pid, signal.SIGKILL)  # and what it was measuring with
            code = worker.wait()
            if worker.stdin:
                with contextlib.suppress(BrokenPipeError):
                    worker.stdin.close()
    return None if done else _death(worker.pid, code)


def _hand_over(stdin: IO[str] | None, order: dict[str, Any]) -> None:
    assert stdin is not None
    with contextlib.suppress(BrokenPipeError):  # it died at once: its exit code says so
        stdin.write(json.dumps(order) + "\n")
        stdin.flush()


def _follow(worker: "subprocess.Popen[str]", messages: IO[str], progress: Progress) -> bool:
    """Passes messages on until the last one; whether there was one."""
    interrupted = False
    while True:
        try:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
            for line in messages:
                if _heard(json.loads(line), progress):
                    return True
            worker.wait()
        except KeyboardInterrupt:
            if interrupted:
                raise errors.stopped() from None
            interrupted = True
            worker.send_signal(signal.SIGINT)
        else:
            return False


def _heard(message: dict[str, Any], progress: Progress) -> bool:
    """Passes one message on; whether it was the last."""
    if "problem" in message:
        raise told_error(message)
    if "tell" in message:
        progress.tell(message["tell"])
    if "best" in message:
        progress.best(message["best"])
    return "done" in message


@contextlib.contextmanager
def _interrupts_held() -> Iterator[None]:
    """A worker starts with Ctrl-C held back and lets it in when it can answer it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _death(worker: int, code: int) -> Death:
    if code == OUT_OF_MEMORY:
        return Death(worker=worker, how="ran out of memory", is_its_own=False)
    if code >= 0:
        return Death(worker=worker, how=f"ended with status {code}", is_its_own=True)
    killed = -code == signal.SIGKILL
    how = f"was killed by {signal.Signals(-code).name}" + (", out of memory perhaps" * killed)
    return Death(worker=worker, how=how, is_its_own=not killed)


def _last_line(log: TextIO) -> str:
    log.seek(0)
    return (log.read().strip().splitlines() or [""])[-1][:300]


def _dead(how: str, last: str) -> FailedError:
    said = f": {last}" if last else ""
    return FailedError(
        Problem(
            reason="WorkerDied",
            message=f"the process that reads and measures the model {how}{said}",
            hint="give it more memory (--memory-limit), or a smaller model; what was measured is "
            "cached, so another run goes on from there",
        )
    )
