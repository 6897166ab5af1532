"""`shoal demo`: from training to undo with nine real devices on this machine.

The story: a good model goes out in waves; a mislabelled one is stopped at the canaries by its
accuracy gate and taken back by itself; another good one goes out; `undo` brings the first one back.
"""

import contextlib
import enum
import json
import signal
import tempfile
import time
import webbrowser
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from shoal.client import kinds
from shoal.client.client import Client
from shoal.lab import digits, rollouts, summary
from shoal.lab.audience import Audience
from shoal.lab.processes import Processes
from shoal.lab.progress import Progress
from shoal.lab.stage import Stage, open_stage, start_agents, wait_until_enrolled

_DEPLOYMENT = "digits"
_ROLLOUT_S = 180.0
_STAYS_S = 2.0
_PROMISED = ("complete", "rolled-back", "complete", "complete")


class Output(enum.StrEnum):
    """How the result is printed."""

    TEXT = "text"
    JSON = "json"


@dataclass(slots=True)
class Story:
    """What happened so far."""

    stage: Stage
    client: Client
    say: Callable[[str], None]
    decided: list[rollouts.Revision] = field(default_factory=list)
    profiles: dict[str, Any] = field(default_factory=dict)

    def apply(self, *files: str) -> None:
        """`shoal apply` of example files."""
        for file in files:
            self.say(f"$ shoal apply -f {file}")
            self.stage.shoal("apply", "-f", str(self.stage.work / "example" / file))

    def wait(self, number: int, wanted: str) -> None:
        """Until revision `number` is decided as `wanted`."""
        revision = rollouts.follow(self.client, _DEPLOYMENT, number, self.say, _ROLLOUT_S)
        self.decided.append(revision)
        for wave in revision["waves"]:
            for gate in wave["gates"]:
                if gate["verdict"] == "fail":
                    self.say(
                        f"  gate {gate['metric']} failed in {gate['cohort']}: {gate['message']}"
                    )
        if revision["result"] != wanted:
            self.say(f"  expected {wanted}: {revision['message']}")


def command(
    devices: Annotated[int, typer.Option(min=3, max=200, help="How many devices.")] = 9,
    seconds: Annotated[
        float | None,
        typer.Option(min=0, help="How long the dashboard stays; default: until Ctrl-C."),
    ] = None,
    no_browser: Annotated[  # noqa: FBT002 - a flag of the command line
        bool, typer.Option("--no-browser", help="Do not open one.")
    ] = False,
    output: Annotated[
        Output,
        typer.Option("-o", "--output", metavar="text|json", help="How to print the result."),
    ] = Output.TEXT,
) -> None:
    """Run a whole fleet on this machine: compress, roll out, roll back, undo.

    Example: shoal demo --seconds 0 -o json
    """
    signal.signal(signal.SIGTERM, _interrupt)
    progress = Progress()
    with contextlib.ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="shoal-demo-")))
        processes = Processes(logs=work / "logs")
        processes.logs.mkdir()
        stack.callback(processes.close)
        stack.callback(progress.say, "taking everything down")
        stage = _set_up(work, processes, progress, devices)
        samples = digits.samples(work / "example")
        audience = stack.enter_context(Audience(stage.agents, digits.MODEL, samples))
        client = stack.enter_context(stage.client())
        story = Story(stage=stage, client=client, say=progress.say)
        _tell(story)
        result = _result(story, audience, progress)
        typer.echo(json.dumps(result) if output is Output.JSON else _text(result))
        _stay(str(result["dashboard"]), seconds, progress, browser=not no_browser)
    if found := shortcomings(result):
        typer.echo(f"failed: {'; '.join(found)}", err=True)
        raise typer.Exit(1)


def _result(story: Story, audience: Audience, progress: Progress) -> dict[str, Any]:
    """The document of contracts section 5."""
    stage, client = story.stage, story.client
    stage.processes.check()
    key = f"{rollouts.NAMESPACE}/{_DEPLOYMENT}"
    measured = client.telemetry(key, since_s=progress.seconds)["deployments"][key]
    model = client.resources.get(kinds.named("Model"), rollouts.NAMESPACE, digits.MODEL)
    return {
        "devices": len(stage.agents),
        "broker": stage.endpoints["broker"],
        "profiles": story.profiles,
        "source": {
            "bytes": (stage.work / "example" / "teacher.onnx").stat().st_size,
            "score": model["status"]["revisions"][0]["score"],
        },
        "rollouts": [summary.rollout(_DEPLOYMENT, one) for one in story.decided],
        "telemetry": summary.telemetry(measured, audience.tallies),
        "dashboard": f"{stage.server}/",
        "seconds": round(progress.seconds, 1),
    }


def _set_up(work: Path, processes: Processes, progress: Progress, devices: int) -> Stage:
    progress.say("training three digit readers (cached after the first time)")
    cached = digits.prepare(processes, work / "example")
    progress.say("models and data are ready" + (" (from the cache)" if cached else ""))
    stage = open_stage(work, processes)
    progress.say(f"controller at {stage.server}/ with the {stage.endpoints['broker']} broker")
    start_agents(stage, devices)
    wait_until_enrolled(stage)
    progress.say(f"{devices} devices enrolled: {', '.join(a.name for a in stage.agents)}")
    return stage


def _tell(story: Story) -> None:
    story.say("1. the first model: compress once for all budgets, roll out in waves")
    story.apply("profiles.yaml", "model.yaml", "deployment.yaml")
    story.wait(1, "complete")
    deployment = story.client.resources.get(
        kinds.named("Deployment"), rollouts.NAMESPACE, _DEPLOYMENT
    )
    story.profiles = summary.profiles(story.client, deployment)
    for name, profile in story.profiles.items():
        story.say(f"  {name}: {profile['bytes']} bytes, score {profile['score']:.4f}")
    story.say("2. a mislabelled model: no checksum sees it, the canaries' accuracy gate does")
    story.apply("revisions/mislabelled.yaml")
    story.wait(2, "rolled-back")
    story.say("   the canaries return to revision 1 by themselves")
    _wait_for_return(story, 3)
    story.say("3. another good model")
    story.apply("revisions/retrained.yaml")
    story.wait(4, "complete")
    story.say("4. $ shoal rollout undo digits")
    story.stage.shoal("rollout", "undo", _DEPLOYMENT)
    story.wait(5, "complete")
    # The undone model is the newest one; a controller that rolled forward again would do it now.
    time.sleep(_STAYS_S)
    newest = max(
        r["number"] for r in story.client.rollouts.revisions(rollouts.NAMESPACE, _DEPLOYMENT)
    )
    story.say(f"   revision {newest} is still the newest: the undo stays")


def _wait_for_return(story: Story, number: int) -> None:
    """The automatic return is part of the rolled-back rollout, so it is not listed by itself."""
    rollouts.follow(story.client, _DEPLOYMENT, number, story.say, _ROLLOUT_S)


def _stay(url: str, seconds: float | None, progress: Progress, *, browser: bool) -> None:
    """Keep the dashboard up for `seconds`, or until Ctrl-C."""
    if seconds == 0:
        return
    progress.say(f"dashboard: {url}" + ("" if seconds else " (Ctrl-C ends the demo)"))
    if browser:
        webbrowser.open(url)
    try:
        time.sleep(float("1e9") if seconds is None else seconds)
    except KeyboardInterrupt:
        progress.say("interrupted")


def shortcomings(result: dict[str, Any]) -> list[str]:
    """What happened otherwise than the demo promises, each in a sentence."""
    results = [one["result"] for one in result["rollouts"]]
    found = []
    if results != list(_PROMISED):
        found.append(f"the rollouts ended {', '.join(results)}, not {', '.join(_PROMISED)}")
    if dropped := result["telemetry"]["dropped"]:
        found.append(f"{dropped} request{' was' if dropped == 1 else 's were'} dropped")
    return found


def _text(result: dict[str, Any]) -> str:
    """The result for people."""
    measured = result["telemetry"]
    lines = ["", f"{result['devices']} devices, {result['broker']} broker, {result['seconds']} s"]
    for name, profile in result["profiles"].items():
        lines.append(
            f"  {name:8} {profile['variant'][7:19]}  {profile['bytes']:>8} bytes"
            f"  score {profile['score']:.4f}  p95 {profile['latency_ms_p95']:.3f} ms"
        )
    for one in result["rollouts"]:
        waves = ", ".join(f"{wave['name']} {wave['devices']}" for wave in one["waves"])
        lines.append(f"  revision {one['revision']}: {one['result']:12} {waves}")
    lines.append(
        f"  {measured['inferences']} inferences, {measured['dropped']} dropped, accuracy"
        f" {measured['accuracy']:.4f}, p95 {measured['latency_ms_p95']:.2f} ms, at least"
        f" {measured['min_in_flight_at_switch']} in flight at every switch"
    )
    return "\n".join(lines)


def _interrupt(_number: int, _frame: Any) -> None:
    """SIGTERM ends the demo as Ctrl-C does, so that it leaves nothing behind."""
    raise KeyboardInterrupt
