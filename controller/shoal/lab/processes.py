"""Child processes that never outlive this one: each in its own group, with its log in a file."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from shoal.contract.problem import FailedError, Problem
from shoal.contract.reason import Reason

_PR_SET_PDEATHSIG = 1
_GRACE_S = 5.0
_LOG_LINES = 15
_LIBC = ctypes.CDLL(None)  # loaded here, because little is safe between fork and exec


@dataclass(slots=True)
class Child:
    """One running program and where it writes its log."""

    name: str
    process: "subprocess.Popen[bytes]"
    log: Path

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self.process.poll() is None

    def tail(self) -> str:
        """The last lines of its log."""
        lines = self.log.read_text("utf-8", errors="replace").splitlines()
        return "\n".join(lines[-_LOG_LINES:])


@dataclass(slots=True)
class Processes:
    """All children of the demo; `close` leaves none behind."""

    logs: Path
    _children: list[Child] = field(default_factory=list)

    def start(
        self, name: str, command: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> Child:
        """Start `command` (a console script of this installation, then its arguments)."""
        log = self.logs / f"{name}.log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                [program(command[0]), *command[1:]],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
                preexec_fn=_own_group_that_dies_with_us,  # noqa: PLW1509 - two system calls only
            )
        child = Child(name=name, process=process, log=log)
        self._children.append(child)
        return child

    def run(
        self, name: str, command: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> str:
        """Run `command` to its end; returns its log.

        Raises:
            FailedError: it ended with another exit code than 0.
        """
        child = self.start(name, command, environment)
        code = child.process.wait()
        # Now rather than in the end: by then its number may be that of a stranger's group.
        _signal(child, signal.SIGKILL)
        self._children.remove(child)
        if code != 0:
            raise failed(child)
        return child.log.read_text("utf-8", errors="replace")

    def check(self) -> None:
        """Raise when a child that should be running has ended.

        Raises:
            FailedError: names it and shows the end of its log.
        """
        for child in self._children:
            code = child.process.poll()
            if code is not None and code != 0:
                raise failed(child)

    def close(self) -> None:
        """End every child and its own children: asked first, killed after a grace period."""
        for child in reversed(self._children):
            _signal(child, signal.SIGTERM)
        deadline = time.monotonic() + _GRACE_S
        for child in self._children:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.process.wait(max(0.0, deadline - time.monotonic()))
        for child in self._children:
            # The group is signalled even when its leader has ended: a grandchild may remain.
            _signal(child, signal.SIGKILL)
            child.process.wait()
        self._children.clear()


def failed(child: Child) -> FailedError:
    """The failure that shows how `child` ended."""
    return FailedError(
        Problem(
            reason=Reason.CRASHED,
            message=f"{child.name} ended with exit code {child.process.poll()}:\n{child.tail()}",
            location=str(child.log),
        )
    )


def program(name: str) -> str:
    """The console script `name` of this very installation, or the program of that path."""
    beside = Path(sys.executable).parent / name
    return str(beside) if beside.exists() else name


def _signal(child: Child, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.process.pid, number)


def _own_group_that_dies_with_us() -> None:  # pragma: no cover - runs between fork and exec
    os.setpgid(0, 0)
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
