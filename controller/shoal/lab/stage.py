"""The controller and agents of the demo, and how the operator talks to them.

Everything goes through the programs that a user has: `shoal`, `shoal serve`, `shoal-agent`.
"""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shoal.client.client import Client, TokenRequest
from shoal.contract.problem import FailedError, Problem
from shoal.contract.reason import Reason
from shoal.lab.processes import Child, Processes

TIERS = ("tiny", "small", "large")
_READY_S = 60.0
_POLL_S = 0.1

# A demo is watched for a minute, so devices speak every second instead of every half minute.
_CONFIG = "heartbeat: 1s\ntelemetryWindow: 1s\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """One device of the demo."""

    name: str
    tier: str
    link: str
    state: Path

    @property
    def status(self) -> Path:
        """What the agent writes about itself."""
        return self.state / "status.json"


@dataclass(slots=True)
class Stage:
    """Running programs and the folder they work in."""

    work: Path
    processes: Processes
    endpoints: dict[str, Any]
    agents: tuple[Agent, ...] = ()

    @property
    def server(self) -> str:
        """The controller's HTTP address."""
        return str(self.endpoints["http"]).rstrip("/")

    def client(self) -> Client:
        """A connection to the controller."""
        return Client(self.server)

    def shoal(self, *arguments: str) -> str:
        """Run one `shoal` command as an operator would; returns what it printed."""
        return self.processes.run(
            f"shoal-{arguments[0]}", ["shoal", "--server", self.server, *arguments]
        )


def open_stage(work: Path, processes: Processes) -> Stage:
    """Start the controller and wait until it serves.

    Raises:
        FailedError: it ended, or was not ready in time.
    """
    data, config = work / "controller", work / "controller.yaml"
    config.write_text(_CONFIG, "utf-8")
    child = processes.start(
        "controller",
        [
            *("shoal", "serve", "--config", str(config), "--data", str(data)),
            *("--listen", "127.0.0.1:0"),
            *("--listen-devices", "127.0.0.1:0", "--mqtt", "auto", "--mqtt-listen", "127.0.0.1:0"),
        ],
    )
    return Stage(
        work=work, processes=processes, endpoints=_wait_for(child, data / "endpoints.json")
    )


def start_agents(stage: Stage, devices: int) -> None:
    """Enrol `devices` agents in equal parts of the three tiers, the last two on MQTT alone."""
    tiers = [TIERS[index * len(TIERS) // devices] for index in range(devices)]
    agents = tuple(
        Agent(
            name=f"{tier}-{index + 1}",
            tier=tier,
            link="mqtt" if index >= devices - 2 else "grpc",
            state=stage.work / "agents" / f"{tier}-{index + 1}",
        )
        for index, tier in enumerate(tiers)
    )
    with stage.client() as client:
        tokens = {tier: _token(client, tier, tiers.count(tier)) for tier in dict.fromkeys(tiers)}
    for agent in agents:
        agent.state.mkdir(parents=True)
        stage.processes.start(
            f"agent-{agent.name}",
            [
                *("shoal-agent", "run", "--state", str(agent.state), "--name", agent.name),
                *("--server", str(stage.endpoints["grpc"]), "--token", tokens[agent.tier]),
                *("--link", agent.link, "--serve", "127.0.0.1:0"),
            ],
        )
    stage.agents = agents


def wait_until_enrolled(stage: Stage) -> None:
    """Until every agent has written that it is connected.

    Raises:
        FailedError: not all of them in time.
    """
    deadline = time.monotonic() + _READY_S
    while not all(_connected(agent) for agent in stage.agents):
        stage.processes.check()
        if time.monotonic() > deadline:
            missing = ", ".join(agent.name for agent in stage.agents if not _connected(agent))
            raise _too_late(f"the agents {missing} did not connect")
        time.sleep(_POLL_S)


def _token(client: Client, tier: str, uses: int) -> str:
    wanted = TokenRequest(uses=uses, labels={"app": "reader", "tier": tier})
    return str(client.create_token(wanted)["token"])


def _connected(agent: Agent) -> bool:
    return agent.status.exists() and bool(json.loads(agent.status.read_bytes())["connected"])


def _wait_for(child: Child, endpoints: Path) -> dict[str, Any]:
    deadline = time.monotonic() + _READY_S
    while not endpoints.exists():
        if not child.running:
            raise _too_late(f"the controller ended at once:\n{child.tail()}")
        if time.monotonic() > deadline:
            raise _too_late(f"the controller was not ready in time:\n{child.tail()}")
        time.sleep(_POLL_S)
    return dict(json.loads(endpoints.read_bytes()))


def _too_late(message: str) -> FailedError:
    return FailedError(Problem(reason=Reason.TIMED_OUT, message=message))
