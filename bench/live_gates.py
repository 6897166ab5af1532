"""Live gates with real agents: a good variant passes, a slow or differing one is taken back.

    python -m bench.live_gates [--devices 18] [-o json|table]

`shoal serve` with its broker, so many `shoal-agent` processes on this machine, and their clients.
Three model revisions follow a first one, each updating half of the devices first. On the golden set
and in preflight all are alike; on live requests the second answers differently (shadow answers
show it) and the third takes long (the latency of requests shows it). Exit code 1 where a rollout
ends otherwise than it must.
"""

import argparse
import dataclasses
import json
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import httpx
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from shoal.client.client import Client
from shoal.lab import rollouts
from shoal.lab.processes import Processes
from shoal.lab.stage import Agent, Stage, open_stage, start_agents, wait_until_enrolled

NAME: Final = "net"
KEY: Final = f"{rollouts.NAMESPACE}/{NAME}"
FEATURES, CLASSES = 8, 4
LIVE: Final = 50.0  # of a feature that decides nothing; rows of the golden set have 0 there
TURNS: Final = 5_000  # of a loop, for a live request to the slow model: some milliseconds
PAST: Final = 150  # requests a device before the second rollout
EVERY_S: Final = 0.12  # between two requests to a device
DECIDED_S: Final = 240.0
GATES: Final = (
    {"metric": "latency.p95", "maxRatio": 5, "minSamples": 60},
    {"metric": "agreement", "maxDrop": 0.1},
    {"metric": "errorRate", "max": 0.05, "minSamples": 60},
)
STRATEGY: Final = {
    "waves": [
        {"name": "half", "size": "50%", "soak": "5s", "maxSoak": "3m"},
        {"name": "all", "size": "100%", "soak": "2s", "maxSoak": "1m"},
    ],
    "maxUnavailable": "100%",
    "shadow": "50%",
    "gates": list(GATES),
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One model revision, how its rollout must end, and the evidence that ends it."""

    name: str
    result: str
    source: str = ""


STORIES: Final = (
    Story(name="equal", result="complete"),
    Story(name="differing", result="rolled-back", source="shadow"),
    Story(name="slow", result="rolled-back", source="traffic"),
)


class Clients:
    """One request after the other to every device, from entering this context until leaving it."""

    def __init__(self, agents: Sequence[Agent]) -> None:
        self.answered = dict.fromkeys((one.name for one in agents), 0)
        self._agents = agents
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="clients", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()

    def until(self, requests: int) -> None:
        """Return when every device has answered so many.

        Raises:
            RuntimeError: the clients have ended, whose own error is on stderr.
        """
        while min(self.answered.values()) < requests:
            if not self._thread.is_alive():
                raise RuntimeError("the clients have ended, so nobody asks the devices any more")
            time.sleep(0.1)

    def _run(self) -> None:
        rng = np.random.default_rng(3)
        with httpx.Client(trust_env=False, timeout=10) as client:
            while not self._over.wait(EVERY_S):
                for agent in self._agents:
                    values = [LIVE, *rng.normal(size=FEATURES - 1).tolist()]
                    tensor = {"name": "x", "datatype": "FP32", "shape": [1, FEATURES]}
                    serving = json.loads(agent.status.read_text())["serving"]
                    reply = client.post(
                        f"{serving}/v2/models/{NAME}/infer",
                        json={"inputs": [{**tensor, "data": values}]},
                    )
                    self.answered[agent.name] += reply.status_code == httpx.codes.OK


def model_of(story: str) -> onnx.ModelProto:
    """Scores of a linear model; what else it does depends on its largest input."""
    rng = np.random.default_rng(1)
    weights = rng.normal(size=(FEATURES, CLASSES)).astype(np.float32)
    weights[0] = 0  # the feature that only live requests have
    scale = {"first": 1.0, "equal": 1.25, "differing": 1.5, "slow": 1.75}[story]
    nodes = [helper.make_node("MatMul", ["x", "w"], ["linear"])]
    stored: dict[str, Any] = {"w": weights * np.float32(scale)}
    if story == "differing":
        stored["always"] = np.array([0, 0, 0, 100], np.float32)
        nodes += [
            helper.make_node("Slice", ["x", "zero", "one", "one"], ["live"]),
            helper.make_node("Mul", ["live", "always"], ["more"]),
            helper.make_node("Add", ["linear", "more"], ["scores"]),
        ]
    elif story == "slow":
        stored["turns_each"] = np.float32(TURNS / LIVE)
        nodes += [
            helper.make_node("Slice", ["x", "zero", "one", "one"], ["live"]),
            helper.make_node("ReduceMax", ["live"], ["most"], keepdims=0),
            helper.make_node("Mul", ["most", "turns_each"], ["wanted"]),
            helper.make_node("Cast", ["wanted"], ["turns"], to=TensorProto.INT64),
            helper.make_node("Loop", ["turns", "", "linear"], ["scores"], body=_turn()),
        ]
    else:
        nodes.append(helper.make_node("Identity", ["linear"], ["scores"]))
    return _model(nodes, stored)


def _turn() -> onnx.GraphProto:
    taken = ("i", TensorProto.INT64), ("go", TensorProto.BOOL)
    return helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["go_on"]),
            helper.make_node("Neg", ["v"], ["negated"]),
            helper.make_node("Neg", ["negated"], ["v_out"]),
        ],
        "turn",
        [*(_tensor(name, kind) for name, kind in taken), _tensor("v", width=CLASSES)],
        [_tensor("go_on", TensorProto.BOOL), _tensor("v_out", width=CLASSES)],
    )


def _tensor(
    name: str, kind: int = TensorProto.FLOAT, width: int | None = None
) -> onnx.ValueInfoProto:
    shape: list[str | int] = [] if width is None else ["N", width]
    return helper.make_tensor_value_info(name, kind, shape)


def _model(nodes: Sequence[onnx.NodeProto], stored: dict[str, Any]) -> onnx.ModelProto:
    stored |= {"zero": np.array([0]), "one": np.array([1])}
    used = {name for node in nodes for name in node.input}
    tensors = [
        numpy_helper.from_array(np.asarray(value), name)
        for name, value in stored.items()
        if name in used
    ]
    ends = [_tensor("x", width=FEATURES)], [_tensor("scores", width=CLASSES)]
    graph = helper.make_graph(nodes, "net", *ends, tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def write(folder: Path, story: str) -> Path:
    """The manifest of a story with its model and data; returns its path."""
    onnx.save(model_of(story), folder / f"{story}.onnx")
    for seed, name in enumerate(("calibration", "evaluation")):
        x = np.random.default_rng(seed).normal(size=(300, FEATURES)).astype(np.float32)
        x[:, 0] = 0
        np.savez(folder / f"{name}.npz", x=x)
    data = {"calibration": "calibration.npz", "evaluation": "evaluation.npz", "golden": 200}
    kinds: dict[str, dict[str, Any]] = {
        "Model": {
            "source": f"{story}.onnx",
            "quality": {"metric": "agreement", "maxDrop": 0.05},
            "data": data,
            "compression": {"methods": ["quantize"], "effort": "quick"},
        },
        "Deployment": {
            "model": NAME,
            "selector": {"matchLabels": {"app": "reader"}},
            "strategy": STRATEGY,
        },
    }
    documents = [
        {"apiVersion": "shoal/v1", "kind": kind, "metadata": {"name": NAME}, "spec": spec}
        for kind, spec in kinds.items()
    ]
    path = folder / f"{story}.yaml"
    path.write_text("\n---\n".join(json.dumps(one) for one in documents), "utf-8")
    return path


def say(text: str) -> None:
    """Tell a person what goes on."""
    print(text, file=sys.stderr)


def rolled_out(stage: Stage, client: Client, story: Story) -> dict[str, Any]:
    """Roll the story out; what became of its revision."""
    known = client.rollouts.revisions(rollouts.NAMESPACE, NAME) if story.name != "first" else []
    number = max((one["number"] for one in known), default=0) + 1
    started = time.monotonic()
    stage.shoal("apply", "-f", str(write(stage.work, story.name)))
    revision = rollouts.follow(client, NAME, number, lambda _: None, DECIDED_S)
    took_s = time.monotonic() - started
    gates = [gate for wave in revision["waves"] for gate in wave["gates"]]
    for gate in gates:
        say(f"  {gate['metric']} by {gate['source']}: {gate['verdict']}, {gate['message']}")
    failed = [gate for gate in gates if gate["verdict"] == "fail"]
    say(f"{story.name}: {revision['result']} after {took_s:.0f} s; {revision['message']}")
    return {
        "story": story.name,
        "result": revision["result"],
        "seconds": round(took_s),
        "failed": [f"{one['metric']} by {one['source']}" for one in failed],
        "samples": max((one["samples"] for one in (failed or gates)), default=0),
        "good": revision["result"] == story.result
        and (not story.source or any(one["source"] == story.source for one in failed)),
    }


def stories(devices: int) -> list[dict[str, Any]]:
    """All rollouts, one after the other on one fleet."""
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="shoal-live-")))
        processes = Processes(logs=work / "logs")
        processes.logs.mkdir()
        stack.callback(processes.close)
        stage = open_stage(work, processes)
        start_agents(stage, devices)
        wait_until_enrolled(stage)
        say(f"{devices} agents, broker {stage.endpoints['broker']}")
        client = stack.enter_context(stage.client())
        first = rolled_out(stage, client, Story(name="first", result="complete"))
        clients = stack.enter_context(Clients(stage.agents))
        found = [first]
        for story in STORIES:
            before = min(clients.answered.values())
            clients.until(before + PAST)
            found.append(rolled_out(stage, client, story))
        return found


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table")
    parser.add_argument("--devices", type=int, default=18, help="agents, 16 or more")
    chosen = parser.parse_args()
    found = stories(chosen.devices)
    if chosen.output == "json":
        print(json.dumps({"benchmark": "live_gates", "devices": chosen.devices, "rows": found}))
    else:
        for row in found:
            print(f"{row['story']:10} {row['result']:12} {row['seconds']:4} s  {row['failed']}")
    sys.exit(0 if all(row["good"] for row in found) else 1)


if __name__ == "__main__":
    main()
