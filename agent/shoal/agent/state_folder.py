"""The agent's state folder: where things are, and that one agent alone uses it."""

import errno
import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from shoal.agent.errors import StateInUseError
from shoal.contract.problem import FailedError, Problem
from shoal.contract.reason import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class StateFolder:
    """Paths under `--state`."""

    root: Path

    @property
    def blobs(self) -> Path:
        """Content-addressed files."""
        return self.root / "blobs"

    @property
    def trials(self) -> Path:
        """Content-addressed files of variants that are measured and never activated."""
        return self.root / "trials"

    @property
    def slots(self) -> Path:
        """Links that say what runs."""
        return self.root / "slots"

    @property
    def journal(self) -> Path:
        """What must survive."""
        return self.root / "journal.jsonl"

    @property
    def spool(self) -> Path:
        """Telemetry that waits."""
        return self.root / "spool"

    @property
    def status(self) -> Path:
        """What `shoal-agent status` prints."""
        return self.root / "status.json"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Own the folder until the end of the block, or of the process.

        Raises:
            StateInUseError: another agent does.
            FailedError: the folder cannot be used.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
            file = _lock_file(self.root / "lock")
        except OSError as error:
            raise FailedError(
                Problem(
                    reason=Reason.INVALID,
                    message=f"the state folder {self.root} cannot be used: {error}",
                    hint="choose another one with --state DIR",
                )
            ) from None
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StateInUseError(self.root) from None
            yield


def _lock_file(path: Path) -> IO[str]:
    """Opened for writing, or for reading: a worn-out flash must not keep its model from serving."""
    try:
        return path.open("w")
    except OSError as error:
        if error.errno != errno.EROFS:
            raise
        return path.open()
