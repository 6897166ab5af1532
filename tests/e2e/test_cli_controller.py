"""The command line against a real controller, both as processes."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "digits"
SHOAL = str(Path(sys.executable).with_name("shoal"))
READY_S = 60.0


class Controller:
    """`shoal serve` on free ports of loopback, without a broker."""

    def __init__(self, data: Path, listen: str = "127.0.0.1:0") -> None:
        self._endpoints = data / "endpoints.json"
        self._endpoints.unlink(missing_ok=True)
        line = [SHOAL, "serve", "--data", str(data), "--listen", listen]
        line += ["--listen-devices", "127.0.0.1:0", "--mqtt", "off"]
        self.log = (data.parent / f"{data.name}.log").open("ab")
        self.process = subprocess.Popen(line, stdout=self.log, stderr=self.log)
        deadline_s = time.monotonic() + READY_S
        while not self._endpoints.exists():
            assert self.process.poll() is None, Path(self.log.name).read_text()
            assert time.monotonic() < deadline_s, Path(self.log.name).read_text()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(0.05)
        self.address: str = json.loads(self._endpoints.read_text())["http"]

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        self.process.send_signal(how)
        self.process.wait(30)
        self.log.close()

    def shoal(self, *arguments: str, code: int = 0) -> str:
        """Stdout of a command line that must exit with `code`."""
        done = subprocess.run(
            [SHOAL, *arguments],
            env={**os.environ, "SHOAL_SERVER": self.address},
            capture_output=True,
            check=False,
            text=True,
            timeout=60,
        )
        assert done.returncode == code, (arguments, done.stdout, done.stderr)
        return done.stdout

    def json(self, *arguments: str, code: int = 0) -> Any:
        return json.loads(self.shoal(*arguments, "-o", "json", code=code))


@pytest.fixture(scope="module")
def controller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Controller]:
    running = Controller(tmp_path_factory.mktemp("controller") / "data")
    yield running
    running.end()


@pytest.fixture
def profiles(controller: Controller) -> Controller:
    controller.shoal("apply", "-f", str(EXAMPLE / "profiles.yaml"))
    return controller


def test_the_versions_of_both_sides_agree(controller: Controller) -> None:
    said = controller.json("version")
    assert said["controller"]["version"] == said["client"]


def test_the_unchanged_file_changes_nothing(profiles: Controller) -> None:
    before = profiles.json("get", "deviceprofiles")
    again = profiles.json("apply", "-f", str(EXAMPLE / "profiles.yaml"))
    assert {item["result"] for item in again["items"]} == {"unchanged"}
    assert profiles.json("get", "deviceprofiles")["items"] == before["items"]


def test_what_is_applied_can_be_read_in_every_output(profiles: Controller) -> None:
    names = profiles.shoal("get", "profiles", "-o", "name").split()
    assert names
    for output in ("table", "wide", "yaml"):
        assert all(
            name.partition("/")[2] in profiles.shoal("get", "profiles", "-o", output)
            for name in names
        )
    assert "budget" in profiles.shoal("describe", names[0], "-o", "yaml")


def test_labels_narrow_what_is_listed(profiles: Controller) -> None:
    name = profiles.shoal("get", "profiles", "-o", "name").split()[0]
    profiles.shoal("label", name, "site=north")
    assert profiles.shoal("get", "profiles", "-l", "site=north", "-o", "name").split() == [name]
    profiles.shoal("label", name, "site-")
    assert profiles.shoal("get", "profiles", "-l", "site=north", "-o", "name") == ""


def test_a_misspelt_metric_is_refused_with_its_place(
    controller: Controller, tmp_path: Path
) -> None:
    text = (EXAMPLE / "deployment.yaml").read_text().replace("metric: accuracy", "metric: acuracy")
    path = tmp_path / "deployment.yaml"
    path.write_text(text)
    error = controller.json("apply", "-f", str(path), code=2)["error"]
    assert error["reason"] == "UnknownMetric"
    line, column = (int(number) for number in error["location"].split(":")[-2:])
    assert text.splitlines()[line - 1][column - 1 :].startswith("acuracy")
    assert error["hint"] == "did you mean accuracy?"


def test_a_selector_that_matches_nothing_is_a_warning(controller: Controller) -> None:
    applied = controller.json("apply", "-f", str(EXAMPLE / "deployment.yaml"))
    warnings = [warning for item in applied["items"] for warning in item["warnings"]]
    assert any("matches no device" in warning for warning in warnings)
    controller.shoal("rollout", "status", "digits", "--timeout", "300ms", code=5)
    assert controller.json("rollout", "history", "digits")["items"] == []
    controller.shoal("delete", "deployment", "digits")
    controller.shoal("wait", "deployment", "digits", "--for", "delete", "--timeout", "20s")


def test_a_token_is_made_once_and_checked(controller: Controller) -> None:
    first, second = (controller.shoal("token", "create", "--ttl", "5m") for _ in range(2))
    assert first != second
    assert controller.json("token", "create", "--ttl", "soon", code=2)["error"]["field"] == "ttl"


def test_what_does_not_exist_exits_3(controller: Controller) -> None:
    for line in (
        ("get", "device", "nobody"),
        ("describe", "model", "nobody"),
        ("delete", "deployment", "nobody"),
        ("rollout", "status", "nobody"),
        ("rollout", "undo", "nobody"),
        ("label", "device", "nobody", "a=b"),
    ):
        assert controller.json(*line, code=3)["error"]["reason"] == "NotFound"


def test_watching_outlives_a_killed_controller(tmp_path: Path) -> None:
    data = tmp_path / "data"
    first = Controller(data)
    first.shoal("apply", "-f", str(EXAMPLE / "deployment.yaml"))
    watching = subprocess.Popen(
        [SHOAL, "rollout", "status", "digits", "--timeout", "60s"],
        env={**os.environ, "SHOAL_SERVER": first.address},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert watching.stdout is not None
    assert watching.stdout.readline().startswith("digits: ")
    first.end(signal.SIGKILL)
    second = Controller(data, first.address.removeprefix("http://").rstrip("/"))
    second.shoal("delete", "deployment", "digits")
    watching.communicate(timeout=60)
    assert watching.returncode == 3  # it was told of the deletion by the second controller
    second.end()
