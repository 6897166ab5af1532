"""Completion in the shells themselves, with the scripts that the program prints."""

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.cli import fleet
from tests.unit.cli.conftest import Shoal
from tests.unit.client.api_server import ApiServer

SHOAL = f"{sys.executable} -m shoal.cli.main"
LONGEST_S = 30.0
PROMPT = "ready> "


@pytest.fixture(autouse=True)
def _fleet(api: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("cam-1", "cam-2"):
        api.store(fleet.a_device(name))
    (tmp_path / "fleet.yaml").touch()
    monkeypatch.chdir(tmp_path)


CASES: tuple[tuple[str, list[str]], ...] = (
    ("shoal rol", ["rollout"]),
    ("shoal get device cam-", ["cam-1", "cam-2"]),
    ("shoal describe device/cam-", ["device/cam-1", "device/cam-2"]),
    ("shoal get devices --output=j", ["--output=json"]),
    ("shoal apply -f fl", ["fleet.yaml"]),
    ("shoal get pods ", []),
)


@pytest.mark.needs_program("fish", package="fish")
@pytest.mark.parametrize(("line", "found"), CASES)
def test_fish_completes(shoal: Shoal, line: str, found: list[str]) -> None:
    script = shoal("completion", "fish").out.replace("(shoal ", f"({SHOAL} ")
    press = f"{script}\ncomplete -C '{line}'"
    done = subprocess.run(
        ["fish", "--no-config", "-c", press], capture_output=True, check=True, text=True
    )
    assert done.stdout.splitlines() == found


@pytest.fixture
def folder_of_functions(shoal: Shoal, tmp_path: Path) -> Path:
    """A home of zsh whose fpath has the script, as `shoal completion --help` says to put it."""
    functions = tmp_path / "functions"
    functions.mkdir()
    (functions / "_shoal").write_text(shoal("completion", "zsh").out)
    (tmp_path / ".zshrc").write_text(
        f"fpath=({functions} $fpath); autoload -Uz compinit; compinit -u -D\n"
        f'shoal() {{ {SHOAL} "$@" }}\nPS1="{PROMPT}"\n'
    )
    return tmp_path


@pytest.fixture
def zsh(folder_of_functions: Path) -> Iterator[int]:
    """The terminal of an interactive zsh."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "ZDOTDIR": str(folder_of_functions), "TERM": "dumb"}
    with subprocess.Popen(
        ["setsid", "--ctty", "zsh", "-i"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment,
    ) as shell:
        os.close(theirs)
        yield ours
        shell.kill()
    os.close(ours)


def shown(terminal: int, wanted: str) -> str:
    """What the terminal shows, once `wanted` is part of it."""
    text, deadline = "", time.monotonic() + LONGEST_S
    while wanted not in text:
        assert select.select([terminal], [], [], deadline - time.monotonic())[0], text
        text += os.read(terminal, 65_536).decode(errors="replace")
    return text


@pytest.mark.needs_program("zsh", package="zsh")
def test_zsh_completes_from_the_first_press_of_the_key(zsh: int) -> None:
    shown(zsh, PROMPT)
    os.write(zsh, b"shoal get device cam\t")
    shown(zsh, "cam-")
    os.write(zsh, b"1; echo done\n")
    assert "cam-1" in shown(zsh, "\ndone")
    shown(zsh, PROMPT)
    os.write(zsh, b"shoal rol\t")
    shown(zsh, "rollout ")
