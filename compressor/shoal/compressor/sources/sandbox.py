"""Children that read what nobody here trusts: their limits, their environment and their end.

A child runs in a session of its own, so that whatever it starts ends with it; what it prints goes
to files, so that a flood of words fills no memory of the parent's.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from shoal.contract import limits

_KEPT: Final = {  # what a child of ours needs from the environment, and nothing else
    *("PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "PYTHONPATH", "VIRTUAL_ENV"),
    *("PYTHONDONTWRITEBYTECODE", "PYTHONWARNINGS", "PYTHONHASHSEED"),
}
_SECRET: Final = re.compile(
    r"TOKEN|SECRET|PASSW|CREDENTIAL|API_?KEY|ACCESS_?KEY|PRIVATE|AUTH", re.IGNORECASE
)
_ANSWER_BYTES: Final = 16 * limits.MIB
_WORDS_BYTES: Final = 4_096


class DiedError(Exception):
    """A child ended without an answer; the text says how, for the middle of a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a child may use; a file it writes is at most `file_bytes` long."""

    memory_bytes: int
    cpu_seconds: int
    file_bytes: int

    def to_json(self) -> str:
        """By the names of Python's `resource`, for the child's command line."""
        return json.dumps(
            {
                "RLIMIT_AS": self.memory_bytes,
                "RLIMIT_CPU": self.cpu_seconds,
                "RLIMIT_FSIZE": self.file_bytes,
                "RLIMIT_CORE": 0,
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """Where a child runs, and whether its code is the user's own.

    Foreign bytes get a bare environment and `folder` as the only place to write to. Code that the
    user named (a loader) runs like the user's other programs, less what looks like a secret.
    """

    folder: Path
    limits: Limits
    users_own: bool = False


def ask(module: str, spec: Mapping[str, Any], cell: Cell) -> dict[str, Any]:
    """The JSON object that `module.main` prints when given `spec` as JSON on stdin.

    Raises:
        DiedError: it ended otherwise.
    """
    walls = "" if cell.users_own else str(cell.folder)
    command = [
        *(sys.executable, "-m", "shoal.compressor.sources.cell"),
        *(module, cell.limits.to_json(), walls),
    ]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=err,
            cwd=cell.folder,
            env=_environment(cell),
            start_new_session=True,
        )
        try:
            child.communicate(json.dumps(spec).encode(), timeout=2 * cell.limits.cpu_seconds)
        except subprocess.TimeoutExpired:
            raise DiedError("took too long") from None
        finally:
            _end(child)
        return _answer(out, err, child.returncode)


def _answer(out: IO[bytes], err: IO[bytes], status: int) -> dict[str, Any]:
    out.seek(0)
    try:
        answer = json.loads(out.read(_ANSWER_BYTES))
    except (ValueError, RecursionError):
        answer = None
    if isinstance(answer, dict):
        return answer
    if status < 0:
        raise DiedError(f"was ended by {signal.Signals(-status).name}") from None
    err.seek(max(0, err.seek(0, os.SEEK_END) - _WORDS_BYTES))
    last = err.read().decode(errors="replace").strip().splitlines()[-1:] or ["no message"]
    raise DiedError(f"ended with status {status}: {last[0][:300]}") from None


def _end(child: subprocess.Popen[bytes]) -> None:
    """Ends the child and everything in its session, also when Ctrl-C ended the wait."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _environment(cell: Cell) -> dict[str, str]:
    if cell.users_own:
        return {name: text for name, text in os.environ.items() if not _SECRET.search(name)}
    kept = {name: text for name, text in os.environ.items() if name in _KEPT}
    home = str(cell.folder)
    return kept | {"HOME": home, "TMPDIR": home, "USER": "shoal", "OMP_NUM_THREADS": "1"}
