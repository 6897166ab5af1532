"""The data directory: one controller at a time, and where that one can be reached."""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from shoal.contract.problem import ConflictError, InvalidError, Problem
from shoal.contract.reason import Reason

_ENDPOINTS = "endpoints.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """Where a running controller answers; `mqtt` is None without a broker."""

    http: str
    grpc: str
    mqtt: str | None
    broker: str
    pid: int


@contextlib.contextmanager
def locked(data: Path) -> Iterator[None]:
    """Hold the data directory; the lock ends with the process, however it ends.

    Raises:
        ConflictError: another controller holds it.
        InvalidError: it cannot be made or written.
    """
    with _lock_file(data) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise ConflictError(
                Problem(
                    reason=Reason.CONFLICT,
                    message=f"a controller (process {file.read().strip()}) uses {data} already",
                    field="--data",
                    hint="stop it, or choose another --data directory",
                )
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        # Left behind by a controller that was killed; whoever waits for the file must not find it.
        (data / _ENDPOINTS).unlink(missing_ok=True)
        yield


def _lock_file(data: Path) -> IO[str]:
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        return (data / "lock").open("a+")
    except OSError as error:
        raise InvalidError(
            Problem(
                reason=Reason.INVALID,
                message=f"{data} cannot be the data directory: {error.strerror}",
                field="--data",
                hint="choose a folder that this user may write to: --data DIR",
            )
        ) from error


@contextlib.contextmanager
def announced(data: Path, endpoints: Endpoints) -> Iterator[None]:
    """`endpoints.json`, whole or not at all, for as long as the controller answers."""
    path = data / _ENDPOINTS
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(asdict(endpoints)), "utf-8")
    partial.replace(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
