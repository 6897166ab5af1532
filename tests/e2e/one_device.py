"""A whole Shoal with one device, as processes: `shoal serve`, its searches, `shoal-agent`."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

BIN = Path(sys.executable).parent
DEADLINE_S = 150.0
_CONFIG = "heartbeat: 1s\ntelemetryWindow: 1s\n"


class OneDevice:
    """The controller and the agent `cam`; processes end with `close`.

    `config` is what the controller's configuration file says beyond a quick heartbeat.
    """

    def __init__(self, folder: Path, cache: Path, config: str = "") -> None:
        self.folder = folder
        self._environment = {**os.environ, "SHOAL_CACHE_DIR": str(cache)}
        self._processes: list[subprocess.Popen[bytes]] = []
        (folder / "controller.yaml").write_text(_CONFIG + config)
        data = folder / "data"
        self._start(
            *("shoal", "serve", "--config", str(folder / "controller.yaml"), "--data", str(data)),
            *("--listen", "127.0.0.1:0", "--listen-devices", "127.0.0.1:0", "--mqtt", "off"),
        )
        endpoints = data / "endpoints.json"
        self.until(endpoints.exists, "the controller")
        self._endpoints = json.loads(endpoints.read_text())
        self._environment["SHOAL_SERVER"] = self._endpoints["http"]

    def shoal(self, *arguments: str, code: int = 0) -> Any:
        """What a command prints as JSON; it must exit with `code`."""
        done = subprocess.run(
            [str(BIN / "shoal"), *arguments, "-o", "json"],
            env=self._environment,
            capture_output=True,
            check=False,
            text=True,
        )
        assert done.returncode == code, (arguments, done.stdout, done.stderr, self.said())
        return json.loads(done.stdout)

    def join(self) -> None:
        """Start the agent with the label that deployments here select."""
        token = self.shoal("token", "create", "--labels", "app=reader")["token"]
        self._start(
            *("shoal-agent", "run", "--state", str(self._state), "--link", "grpc"),
            *("--serve", "127.0.0.1:0", "--name", "cam"),
            *("--server", self._endpoints["grpc"], "--token", token),
        )

    def rolled_out(self, deployment: str) -> None:
        """Return when the deployment is complete."""
        line = ("rollout", "status", deployment, "--timeout", f"{DEADLINE_S:.0f}s")
        found = self.shoal(*line)
        assert found["status"]["result"] == "complete", found

    def infer(self, model: str, tensor: dict[str, Any]) -> dict[str, Any]:
        """What the device answers to one input."""
        url = f"{self._models}/{model}/infer"
        reply = httpx.post(url, json={"inputs": [tensor]}, timeout=60, trust_env=False)
        assert reply.status_code == 200, reply.text
        found: dict[str, Any] = reply.json()
        return found

    def asset(self, model: str, name: str) -> bytes:
        """A file that travelled with the model, as the device hands it out."""
        reply = httpx.get(f"{self._models}/{model}/assets/{name}", timeout=60, trust_env=False)
        assert reply.status_code == 200, reply.text
        return reply.content

    def until(self, condition: Callable[[], object], what: str) -> None:
        end_s = time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < end_s, f"waited for {what}: {self.said()}"
            time.sleep(0.05)

    def said(self) -> str:
        """The last lines of every process."""
        logs = sorted(self.folder.glob("*.log"))
        return "\n".join(f"{one.name}: {one.read_text()[-2000:]}" for one in logs)

    def close(self) -> None:
        for process in reversed(self._processes):
            process.terminate()
            process.wait(30)

    @property
    def _models(self) -> str:
        status = json.loads((self._state / "status.json").read_text())
        return f"{status['serving']}/v2/models"

    @property
    def _state(self) -> Path:
        return self.folder / "state"

    def _start(self, program: str, *arguments: str) -> None:
        with (self.folder / f"{program}.log").open("ab") as log:
            self._processes.append(
                subprocess.Popen(
                    [str(BIN / program), *arguments], env=self._environment, stdout=log, stderr=log
                )
            )
