"""`shoal demo`: the whole of Shoal with real processes, as the README promises it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

SHOAL = str(Path(sys.executable).parent / "shoal")
DEADLINE_S = 280


def processes_marked(mark: str) -> list[str]:
    """Command lines of every process that has `mark` in its environment, zombies aside."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                if mark.encode() in (folder / "environ").read_bytes():
                    found.append((folder / "cmdline").read_text().replace("\0", " "))
            except OSError:
                continue
    return found


def environment(mark: str, cache: Path | None = None) -> dict[str, str]:
    extra = {"SHOAL_CACHE_DIR": str(cache)} if cache else {}
    return {**os.environ, "SHOAL_TEST_MARK": mark, **extra}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    mark = f"demo-{os.getpid()}-{time.monotonic_ns()}"
    log = tmp_path_factory.mktemp("demo") / "stderr"
    with log.open("wb") as stderr:
        done = subprocess.run(
            [SHOAL, "demo", "-o", "json", "--seconds", "0", "--no-browser"],
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=environment(mark),
            timeout=DEADLINE_S,
            check=False,
        )
    assert done.returncode == 0, f"{done.stdout.decode()}\n{log.read_text()}"
    assert processes_marked(mark) == []
    document: dict[str, Any] = json.loads(done.stdout)
    return document


@pytest.mark.timeout(300)
def test_the_rollouts_end_as_told(demo: dict[str, Any]) -> None:
    results = [one["result"] for one in demo["rollouts"]]
    assert results.count("rolled-back") == 1
    assert results.count("complete") >= 3
    assert [wave["devices"] for wave in demo["rollouts"][0]["waves"]] == [3, 6, 9]


def test_each_budget_gets_a_variant_of_its_own_within_it(demo: dict[str, Any]) -> None:
    profiles = demo["profiles"]
    assert len({one["variant"] for one in profiles.values()}) == 3
    limits = {"tiny": 24 * 1024, "small": 96 * 1024, "large": 1024 * 1024}
    for name, limit in limits.items():
        assert profiles[name]["bytes"] <= limit
        assert profiles[name]["score"] >= demo["source"]["score"] - 0.02
    methods = {name: json.dumps(one["recipe"]) for name, one in profiles.items()}
    assert "prune" in methods["tiny"] or "distill" in methods["tiny"]
    assert "static" in methods["small"]
    assert "static" not in methods["large"]


def test_no_request_was_dropped_and_every_switch_happened_under_load(
    demo: dict[str, Any],
) -> None:
    telemetry = demo["telemetry"]
    assert telemetry["dropped"] == 0, telemetry["failures"]
    assert telemetry["min_in_flight_at_switch"] >= 1
    assert telemetry["inferences"] > 1_000
    assert telemetry["accuracy"] > 0.9


def test_the_bad_source_was_stopped_at_the_canaries_by_its_accuracy_gate(
    demo: dict[str, Any],
) -> None:
    [bad] = [one for one in demo["rollouts"] if one["result"] == "rolled-back"]
    canary, *later = bad["waves"]
    assert canary["devices"] == 3
    failed = [gate for gate in canary["gates"] if gate["verdict"] == "fail"]
    assert failed
    for gate in failed:
        assert gate["metric"] == "accuracy"
        assert gate["value"] > gate["limit"] == 0.05
        assert gate["samples"] >= 50
    assert {wave["result"] for wave in later} == {"pending"}


@pytest.mark.timeout(300)
def test_ctrl_c_leaves_no_process_behind(tmp_path: Path) -> None:
    mark = f"demo-{os.getpid()}-{time.monotonic_ns()}"
    log = tmp_path / "stderr"
    with log.open("wb") as stderr:
        running = subprocess.Popen(
            [SHOAL, "demo", "--no-browser"], stderr=stderr, env=environment(mark)
        )
    deadline = time.monotonic() + DEADLINE_S
    while "devices enrolled" not in log.read_text():
        assert running.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)
    running.send_signal(signal.SIGINT)
    assert running.wait(60) == 130
    assert processes_marked(mark) == []
