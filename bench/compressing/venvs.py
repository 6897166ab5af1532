"""Virtual environments of peers, made when first asked for and kept: their requirements fight."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

FOLDER: Final = Path(os.environ.get("SHOAL_BENCH_VENVS") or tempfile.gettempdir()) / "shoal-bench"
_INSTALL_S: Final = 1_200


class AbsentError(Exception):
    """Something is not here or refused its work; the sentence says why."""


def installed(venv: Path, packages: tuple[str, ...]) -> Path:
    """The interpreter of a venv that holds `packages`; the first, torch, is installed by itself.

    Raises:
        AbsentError: they do not install, now or the last time.
    """
    python, made, failed = venv / "bin" / "python", venv / "made", venv / "failed"
    if failed.exists():
        raise AbsentError(failed.read_text())
    if not made.exists():
        checked([sys.executable, "-m", "venv", str(venv)], _INSTALL_S)
        try:
            for wanted in (packages[:1], packages):
                checked([str(python), "-m", "pip", "install", "-q", *wanted], _INSTALL_S)
        except AbsentError as error:
            failed.write_text(f"does not install: {error}")
            raise AbsentError(failed.read_text()) from error
        made.touch()
    return python


def checked(command: list[str], seconds: float) -> None:
    """Runs a command to its end.

    Raises:
        AbsentError: it failed, or took longer than `seconds`.
    """
    try:
        subprocess.run(command, capture_output=True, text=True, check=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        raise AbsentError(f"took longer than {seconds:.0f} s") from None
    except subprocess.CalledProcessError as error:
        lines = [line for line in (error.stderr or "").splitlines() if line.strip()]
        raise AbsentError((lines or ["no message"])[-1][:160]) from None
