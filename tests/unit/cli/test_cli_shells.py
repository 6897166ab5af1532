"""Completion in the shells themselves, with the scripts that the program prints."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.cli import fleet
from tests.unit.cli.conftest import Shoal
from tests.unit.client.api_server import ApiServer

SHOAL = f"{sys.executable} -m shoal.cli.main"


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


# What zsh does when the key is pressed, with the candidates printed instead of shown.
_ZSH = """
fpath=({folder} $fpath)
autoload -Uz _shoal
compdef() {{ }}
compadd() {{ print -rl -- ${{(P)@[-1]}} }}
shoal() {{ {shoal} "$@" }}
words=({line}) CURRENT={current}
_shoal
"""


@pytest.mark.needs_program("zsh", package="zsh")
@pytest.mark.parametrize(("line", "found"), CASES)
def test_zsh_completes_from_the_first_press_of_the_key(
    shoal: Shoal, tmp_path: Path, line: str, found: list[str]
) -> None:
    (tmp_path / "_shoal").write_text(shoal("completion", "zsh").out)
    words = line.split(" ")
    quoted = " ".join(f"'{word}'" for word in words)
    press = _ZSH.format(folder=tmp_path, shoal=SHOAL, line=quoted, current=len(words))
    done = subprocess.run(
        ["zsh", "--no-rcs", "-c", press], capture_output=True, check=True, text=True
    )
    assert [word for word in done.stdout.splitlines() if word] == found
