"""Completion: what the shell offers at the cursor, with the names of what is really there."""

import subprocess
import sys
from pathlib import Path

import pytest

from shoal.cli import completing
from tests.unit.cli import fleet
from tests.unit.cli.conftest import Shoal
from tests.unit.client.api_server import ApiServer

KINDS = [
    "deployment",
    "deployments",
    "device",
    "deviceprofile",
    "deviceprofiles",
    "devices",
]


@pytest.fixture(autouse=True)
def _fleet(api: ApiServer, shoal: Shoal) -> None:
    del shoal  # which names the server
    for name in ("cam-1", "cam-2"):
        api.store(fleet.a_device(name))
    api.store(fleet.a_deployment())
    away = fleet.a_device("far")
    away["metadata"]["namespace"] = "lab"
    api.store(away)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("shoal desc", ["describe"]),
        ("shoal rollout un", ["undo"]),
        ("shoal get de", KINDS),
        ("shoal get devices ", ["cam-1", "cam-2"]),
        ("shoal get device/cam-1", ["device/cam-1"]),
        ("shoal -n lab get devices ", ["far"]),
        ("shoal get devices -n ", ["default", "lab"]),
        ("shoal delete device cam-1 ", ["cam-1", "cam-2"]),
        ("shoal rollout undo --to-revision 1 ", ["digits"]),
        ("shoal rollout undo --to-revision ", []),
        ("shoal device drain ", ["cam-1", "cam-2"]),
        ("shoal infer ", ["cam-1", "cam-2"]),
        ("shoal get devices -o j", ["json"]),
        ("shoal get devices --wat", ["--watch"]),
        ("shoal explain dev", ["device", "deviceprofile", "deviceprofiles", "devices"]),
        ("shoal completion f", ["fish"]),
        ("shoal nonsense ", []),
        ("shoal get 'dev", []),
        ("shoal get pods ", []),
        ("shoal -o nonsense get ", []),
    ],
)
def test_the_next_word(line: str, found: list[str]) -> None:
    assert completing.replies("zsh", line) == found


def test_bash_gets_what_follows_the_equals_sign() -> None:
    assert completing.replies("bash", "shoal get devices --output=j") == ["json"]
    assert completing.replies("zsh", "shoal get devices --output=j") == ["--output=json"]


def test_contexts_are_completed(shoal: Shoal) -> None:
    shoal("context", "set", "lab", "--server", "http://lab:1")
    assert completing.replies("zsh", "shoal context use ") == ["lab"]


def test_files_are_completed_and_folders_end_with_a_slash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "fleet.yaml").touch()
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)
    assert completing.replies("zsh", "shoal apply -f f") == ["fleet.yaml", "folder/"]
    assert completing.replies("zsh", f"shoal apply -f {tmp_path}/fl") == [f"{tmp_path}/fleet.yaml"]


def test_a_controller_that_is_not_there_completes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SHOAL_SERVER", "http://127.0.0.1:1")
    assert completing.replies("zsh", "shoal get devices ") == []


@pytest.mark.parametrize("shell", completing.SHELLS)
def test_every_shell_has_a_script(shoal: Shoal, shell: str) -> None:
    assert f"__complete {shell}" in shoal("completion", shell).out
    assert shoal("completion", shell, "-o", "json").json["shell"] == shell


def test_an_unknown_shell_is_a_usage_error(shoal: Shoal) -> None:
    assert shoal("completion", "csh").code == 2


def test_bash_completes_with_the_script(shoal: Shoal) -> None:
    script = shoal("completion", "bash").out.replace(
        "$(shoal ", f"$({sys.executable} -m shoal.cli.main "
    )
    line = "shoal get devices cam-"
    press = (
        f'{script}\nCOMP_LINE="{line}"; COMP_POINT={len(line)}; _shoal; echo "${{COMPREPLY[@]}}"'
    )
    done = subprocess.run(["bash", "-c", press], capture_output=True, check=True, text=True)
    assert done.stdout == "cam-1 cam-2\n"
