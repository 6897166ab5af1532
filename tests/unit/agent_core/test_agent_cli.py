"""The command line: what it refuses, how it says so, and what it prints."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from shoal.agent import cli, listening, settings
from shoal.agent.errors import StateInUseError
from shoal.agent.settings import TcpAddress, UnixAddress
from shoal.agent.state_folder import StateFolder
from shoal.contract.problem import ConflictError, ExitCode, FailedError, InvalidError

STATUS = {
    "device": "reader-1",
    "namespace": "default",
    "pid": 1,
    "engine_pid": None,
    "link": "grpc",
    "connected": True,
    "serving": "http://127.0.0.1:1",
    "desired_version": 3,
    "deployments": [
        {
            "deployment": "default/digits",
            "model": "digits",
            "phase": "Confirmed",
            "generation": 2,
            "revision": 2,
            "variant": "sha256:" + "a" * 64,
            "running": None,
            "running_generation": 0,
            "reason": "",
            "message": "",
        }
    ],
    "switches": [],
    "spool_windows": 0,
}


@pytest.mark.parametrize("command", [[], ["enroll"], ["run"], ["status"]])
def test_every_command_has_help_with_an_example(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main_with([*command, "--help"]) == ExitCode.DONE
    assert "Example: shoal-agent" in capsys.readouterr().out


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from shoal.agent import cli; cli.main_with(['--help']); "
        "print(sorted({'grpc', 'numpy', 'onnxruntime', 'cryptography', 'paho'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    "line",
    [
        ["run", "--nonsense", "-o", "json"],
        ["enroll", "--server", "x:1", "--output=json"],
        ["nonsense", "-ojson"],
        ["enroll", "--server", "nowhere", "--token", "t", "-o", "json"],
        ["enroll", "--server", "x:1", "--token", "", "-o", "json"],
        ["enroll", "--server", "x:1", "--token", "t", "--labels", "site=lab", "-o", "json"],
    ],
)
def test_bad_lines_are_json_when_json_was_asked_for(
    line: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    state = ["--state", str(tmp_path)] if line[0] == "enroll" else []
    assert cli.main_with([*line, *state]) == ExitCode.INVALID
    captured = capsys.readouterr()
    assert json.loads(captured.out)["error"]["reason"] == "Invalid"
    assert captured.err == ""


def test_bad_lines_are_text_otherwise(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main_with(["run", "--serve", "nonsense"]) == ExitCode.INVALID
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "'nonsense' is no address to serve on (--serve)" in captured.err


def test_run_without_an_identity_says_how_to_get_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["run", "--state", str(tmp_path), "--serve", "127.0.0.1:0"]
    assert cli.main_with(line) == ExitCode.NOT_FOUND
    assert "shoal-agent enroll" in capsys.readouterr().err


def test_status_before_any_agent_ran(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = ["status", "--state", str(tmp_path), "-o", "json"]
    assert cli.main_with(line) == ExitCode.NOT_FOUND
    assert json.loads(capsys.readouterr().out)["error"]["reason"] == "NotFound"


def test_status_of_an_agent_that_runs_and_of_one_that_does_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "status.json").write_text(json.dumps(STATUS))
    line = ["status", "--state", str(tmp_path), "-o", "json"]
    with StateFolder(root=tmp_path).locked():
        assert cli.main_with(line) == ExitCode.DONE
        assert json.loads(capsys.readouterr().out) == {**STATUS, "alive": True}
        assert cli.main_with(line[:-2]) == ExitCode.DONE
        assert capsys.readouterr().out.splitlines() == [
            "reader-1: running, connected (grpc), serving http://127.0.0.1:1",
            "DEPLOYMENT      PHASE      GENERATION  VARIANT       RUNNING  REASON",
            "default/digits  Confirmed  2           aaaaaaaaaaaa  -        -",
        ]
    assert cli.main_with(line) == ExitCode.FAILED
    assert json.loads(capsys.readouterr().out)["alive"] is False


def test_status_that_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "status.json").write_text("{")
    assert cli.main_with(["status", "--state", str(tmp_path)]) == ExitCode.FAILED
    assert "cannot be read" in capsys.readouterr().err


def test_an_enrolled_device_does_not_enrol_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    identity = {"device": "d", "secret": "s", "server": "x:1", "broker": "", "namespace": "n"}
    (tmp_path / "identity.json").write_text(json.dumps(identity))
    line = ["enroll", "--server", "x:1", "--token", "t", "--state", str(tmp_path)]
    assert cli.main_with(line) == ExitCode.CONFLICT
    assert "enrolled already, as d" in capsys.readouterr().err


def test_addresses() -> None:
    assert settings.serve_address("127.0.0.1:0") == TcpAddress(host="127.0.0.1", port=0)
    assert settings.serve_address("[::1]:80") == TcpAddress(host="::1", port=80)
    assert settings.serve_address("unix:/run/s") == UnixAddress(path=Path("/run/s"))
    assert settings.server_address("host:1") == "host:1"
    for text in ("", "unix:", "host", "host:", ":1", "host:99999", "host:x"):
        with pytest.raises(InvalidError):
            settings.serve_address(text)
    for text in ("http://host:1", "host:0", "host"):
        with pytest.raises(InvalidError):
            settings.server_address(text)


def test_labels() -> None:
    assert settings.device_labels("") == ()
    assert settings.device_labels("device/a=1, device/b=") == (("device/a", "1"), ("device/b", ""))
    for text in ("a=1", "device/a", "device/=1", "device/a=b c", "device/a/b=c"):
        with pytest.raises(InvalidError):
            settings.device_labels(text)


def test_a_socket_file_is_taken_over_from_the_dead_only(tmp_path: Path) -> None:
    address = UnixAddress(path=tmp_path / "folder" / "s.sock")
    with listening.listen(address) as first:
        assert listening.url_of(first) == f"unix:{address.path}"
        with pytest.raises(ConflictError):
            listening.listen(address)
    listening.listen(address).close()


def test_a_port_in_use_and_an_address_that_is_not_ours() -> None:
    with listening.listen(TcpAddress(host="127.0.0.1", port=0)) as first:
        port = first.getsockname()[1]
        assert listening.url_of(first) == f"http://127.0.0.1:{port}"
        with pytest.raises(ConflictError):
            listening.listen(TcpAddress(host="127.0.0.1", port=port))
    with pytest.raises(InvalidError):
        listening.listen(TcpAddress(host="192.0.2.1", port=0))


def test_one_agent_owns_a_state_folder(tmp_path: Path) -> None:
    folder = StateFolder(root=tmp_path / "state")
    with folder.locked(), pytest.raises(StateInUseError), folder.locked():
        pass
    with folder.locked():
        pass
    (tmp_path / "file").touch()
    with pytest.raises(FailedError), StateFolder(root=tmp_path / "file").locked():
        pass
