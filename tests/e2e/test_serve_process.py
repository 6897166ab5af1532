"""`shoal serve` as a process: how it starts, ends, fails and comes back."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

SHOAL = Path(sys.executable).parent / "shoal"
DEADLINE_S = 60.0
PROFILE = {
    "apiVersion": "shoal/v1",
    "kind": "DeviceProfile",
    "metadata": {"name": "small"},
    "spec": {"budget": {"artifact": "24KiB"}},
}


def until(condition: Callable[[], Any], what: str) -> Any:
    """What `condition` returns once it is true."""
    end = time.monotonic() + DEADLINE_S
    while not (found := condition()):
        assert time.monotonic() < end, f"waited {DEADLINE_S:.0f} s for {what}"
        time.sleep(0.02)
    return found


class Controller:
    """A running `shoal serve`."""

    def __init__(self, data: Path, *options: str) -> None:
        self.data = data
        arguments = ["--data", str(data), "--listen", "127.0.0.1:0"]
        arguments += ["--listen-devices", "127.0.0.1:0", "--mqtt", "off", *options]
        self.process = subprocess.Popen(
            [str(SHOAL), "serve", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        until(self._is_up, "the controller to be ready")
        self.endpoints = json.loads((data / "endpoints.json").read_text())
        self.http = httpx.Client(base_url=self.endpoints["http"], timeout=10, trust_env=False)

    def _is_up(self) -> bool:
        if self.process.poll() is not None:
            raise AssertionError(self.process.communicate())
        # The file of a controller that was killed stays until the next one has the directory.
        with contextlib.suppress(FileNotFoundError):
            found = json.loads((self.data / "endpoints.json").read_text())
            return bool(found["pid"] == self.process.pid)
        return False

    def end(self, number: int) -> tuple[int, str]:
        """The exit code after a signal, and what was printed."""
        self.http.close()
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=DEADLINE_S)
        assert "Traceback" not in err, err
        return self.process.returncode, out


@contextlib.contextmanager
def running(data: Path, *options: str) -> Iterator[Controller]:
    controller = Controller(data, *options)
    try:
        yield controller
    finally:
        controller.http.close()
        with controller.process as process:
            if process.poll() is None:
                process.kill()


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(SHOAL), "-o", "json", "serve", *arguments],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )


def test_it_prints_where_it_listens_and_ends_tidily(tmp_path: Path) -> None:
    options = ("--mqtt", "embedded", "--mqtt-listen", "127.0.0.1:0")
    with running(tmp_path / "data", *options) as controller:
        found = controller.endpoints
        assert found["pid"] == controller.process.pid
        assert found["broker"] == "embedded"
        assert controller.http.get("/readyz").status_code == 200
        children = Path(f"/proc/{found['pid']}/task/{found['pid']}/children").read_text().split()
        assert children
        code, out = controller.end(signal.SIGTERM)
        assert code == 0
        for address in (found["http"], found["grpc"], found["mqtt"], "embedded"):
            assert address in out
        assert not (tmp_path / "data" / "endpoints.json").exists()
        for child in children:
            until(lambda pid=child: not Path(f"/proc/{pid}").exists(), "children to end")  # type: ignore[misc]


def test_ctrl_c_ends_it_with_130(tmp_path: Path) -> None:
    with running(tmp_path / "data") as controller:
        assert controller.end(signal.SIGINT)[0] == 130


@pytest.mark.parametrize("option", ["--listen", "--listen-devices", "--mqtt-listen"])
def test_a_port_in_use_is_named_with_its_option(tmp_path: Path, option: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        addresses = {
            "--listen": "127.0.0.1:0",
            "--listen-devices": "127.0.0.1:0",
            "--mqtt-listen": "127.0.0.1:0",
            option: f"127.0.0.1:{port}",
        }
        arguments = [part for pair in addresses.items() for part in pair]
        failed = run("--data", str(tmp_path), "--mqtt", "embedded", *arguments)
    assert failed.returncode == 2, failed.stderr
    error = json.loads(failed.stdout)["error"]
    assert (error["reason"], error["field"]) == ("PortInUse", option)
    assert str(port) in error["message"]


def test_a_second_controller_on_the_same_data_is_refused(tmp_path: Path) -> None:
    with running(tmp_path) as controller:
        failed = run("--data", str(tmp_path), "--listen", "127.0.0.1:0", "--mqtt", "off")
        assert failed.returncode == 4
        error = json.loads(failed.stdout)["error"]
        assert (error["reason"], error["field"]) == ("Conflict", "--data")
        assert str(controller.process.pid) in error["message"]
        assert controller.http.get("/readyz").status_code == 200
        assert (tmp_path / "endpoints.json").exists()


def test_what_was_answered_survives_kill_9(tmp_path: Path) -> None:
    with running(tmp_path) as controller:
        for priority in range(20):
            document = {**PROFILE, "spec": {"priority": priority}}
            answer = controller.http.post("/api/v1/apply", json=document)
            assert answer.status_code == 200
        last = answer.json()["object"]
        os.kill(controller.process.pid, signal.SIGKILL)
        controller.process.communicate()
        assert (tmp_path / "endpoints.json").exists()
    with running(tmp_path) as again:
        path = "/api/v1/namespaces/default/deviceprofiles/small"
        found = again.http.get(path).json()
        assert found["spec"]["priority"] == 19
        assert found["metadata"]["uid"] == last["metadata"]["uid"]
        document = {**PROFILE, "spec": {"priority": 19}}
        unchanged = again.http.post("/api/v1/apply", json=document).json()
        assert unchanged["result"] == "unchanged"


def test_a_watch_streams_and_ends_with_the_controller(tmp_path: Path) -> None:
    with running(tmp_path) as controller:
        listing = controller.http.get("/api/v1/deviceprofiles").json()
        version = listing["metadata"]["resourceVersion"]
        query = {"watch": "1", "resourceVersion": version}
        with controller.http.stream("GET", "/api/v1/deviceprofiles", params=query) as answer:
            lines = (json.loads(line) for line in answer.iter_lines() if line)
            with httpx.Client(base_url=controller.endpoints["http"], trust_env=False) as other:
                other.post("/api/v1/apply", json=PROFILE)
                added = next(lines)
                assert (added["type"], added["object"]["metadata"]["name"]) == ("ADDED", "small")
                other.delete("/api/v1/namespaces/default/deviceprofiles/small")
                # A pass may have told meanwhile how many devices have it.
                told = next(one["type"] for one in lines if one["type"] != "MODIFIED")
                assert told == "DELETED"
            controller.process.send_signal(signal.SIGTERM)
            assert list(lines) == []
        assert controller.process.wait(DEADLINE_S) == 0


def test_a_wrong_option_is_refused_before_anything_starts(tmp_path: Path) -> None:
    failed = run("--data", str(tmp_path / "none"), "--listen", "nowhere", "--mqtt", "off")
    assert failed.returncode == 2
    assert json.loads(failed.stdout)["error"]["field"] == "--listen"
