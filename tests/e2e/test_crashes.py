"""Controller, broker or agent killed in the middle of a rollout: started again, it finishes."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from shoal.client.client import Client, TokenRequest
from shoal.lab import digits
from shoal.lab.processes import Child, Processes

DEADLINE_S = 120


def wait_for(what: str, condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + DEADLINE_S
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.05)
    return found


@dataclass
class Fleet:
    """One controller and three agents, one of them on MQTT alone."""

    work: Path
    processes: Processes
    controller: Child
    endpoints: dict[str, Any]
    agents: dict[str, Child]

    def start_controller(self) -> None:
        ports = [self.endpoints["http"].removeprefix("http://"), self.endpoints["grpc"]]
        self.controller = start_controller(
            self.work, self.processes, *ports, self.endpoints["mqtt"]
        )

    def start_agent(self, name: str, link: str, token: str = "") -> None:
        enrol = ["--server", self.endpoints["grpc"], "--token", token, "--name", name]
        self.agents[name] = self.processes.start(
            f"agent-{name}",
            [
                *("shoal-agent", "run", "--state", str(self.work / name), "--link", link),
                *("--serve", "127.0.0.1:0", *(enrol if token else ())),
            ],
        )

    def client(self) -> Client:
        return Client(self.endpoints["http"].rstrip("/"))

    def apply(self, *files: str) -> None:
        for file in files:
            path = str(self.work / "example" / file)
            self.processes.run(
                "apply", ["shoal", "--server", self.endpoints["http"], "apply", "-f", path]
            )

    def phase(self, name: str) -> str:
        status = json.loads((self.work / name / "status.json").read_bytes())
        return "".join(one["phase"] for one in status["deployments"])

    def wait_complete(self, revision: int) -> None:
        def decided() -> bool:
            with self.client() as client:
                rows = client.rollouts.revisions("default", "digits")
            return [r["result"] for r in rows if r["number"] == revision] == ["complete"]

        wait_for(f"revision {revision}", decided)


def start_controller(work: Path, processes: Processes, *ports: str) -> Child:
    endpoints = work / "controller" / "endpoints.json"
    endpoints.unlink(missing_ok=True)
    config = work / "controller.yaml"
    config.write_text("heartbeat: 1s\ntelemetryWindow: 1s\n")
    http, grpc, mqtt = ports
    child = processes.start(
        "controller",
        [
            *("shoal", "serve", "--config", str(config), "--data", str(work / "controller")),
            *("--listen", http, "--listen-devices", grpc, "--mqtt-listen", mqtt),
        ],
    )
    wait_for("the controller", lambda: endpoints.exists() or not child.running)
    assert child.running, child.tail()
    return child


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    work = tmp_path_factory.mktemp("crashes")
    processes = Processes(logs=work / "logs")
    processes.logs.mkdir()
    try:
        digits.prepare(processes, work / "example")
        free = "127.0.0.1:0"
        child = start_controller(work, processes, free, free, free)
        endpoints = json.loads((work / "controller" / "endpoints.json").read_bytes())
        fleet = Fleet(work, processes, child, endpoints, {})
        with fleet.client() as client:
            wanted = TokenRequest(uses=3, labels={"app": "reader", "tier": "small"})
            token = client.create_token(wanted)["token"]
        for name, link in (("one", "grpc"), ("two", "auto"), ("three", "mqtt")):
            fleet.start_agent(name, link, token)
        yield fleet
    finally:
        processes.close()


def child_named(parent: int, name: str) -> int:
    """The process id of the one child of `parent` whose program is `name`."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    [found] = [pid for pid in children if Path(f"/proc/{pid}/comm").read_text().strip() == name]
    return int(found)


def kill(child: Child) -> None:
    child.process.send_signal(signal.SIGKILL)
    child.process.wait()
    child.process.returncode = 0  # killed on purpose: `Processes.check` is not to mind


@pytest.mark.timeout(300)
def test_a_killed_controller_goes_on_where_it_was(fleet: Fleet) -> None:
    fleet.apply("profiles.yaml", "model.yaml", "deployment.yaml")
    wait_for(
        "a first canary",
        lambda: any(fleet.phase(n) in {"Preflight", "Soaking"} for n in fleet.agents),
    )
    kill(fleet.controller)
    fleet.start_controller()
    fleet.wait_complete(1)


@pytest.mark.timeout(300)
@pytest.mark.needs_program("mosquitto", package="mosquitto")
def test_a_killed_broker_comes_back_and_the_rollout_finishes(fleet: Fleet) -> None:
    fleet.apply("revisions/retrained.yaml")
    broker = child_named(fleet.controller.process.pid, "mosquitto")
    wait_for(
        "revision 2 to reach a device",
        lambda: any(fleet.phase(n) in {"Preflight", "Soaking"} for n in fleet.agents),
    )
    os.kill(broker, signal.SIGKILL)
    fleet.wait_complete(2)


@pytest.mark.timeout(300)
def test_a_killed_agent_finishes_what_it_was_doing(fleet: Fleet) -> None:
    fleet.apply("model.yaml")
    victim = wait_for(
        "a device that is switching",
        lambda: next(
            (n for n in ("one", "two") if fleet.phase(n) in {"Preflight", "Soaking"}), None
        ),
    )
    kill(fleet.agents[victim])
    fleet.start_agent(victim, "grpc")
    fleet.wait_complete(3)
    with fleet.client() as client:
        rows = client.rollouts.revisions("default", "digits")
    assert [row["result"] for row in rows] == ["complete"] * 3
