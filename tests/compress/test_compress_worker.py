"""The worker may die of a candidate, of its supervisor, or of its memory: the run stands it."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.compress.workshop import Workshop, write_digits

_METHODS = ("--methods", "quantize,prune")
_PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    folder = tmp_path_factory.mktemp("worker")
    write_digits(folder)
    return Workshop(folder=folder, cache=folder / "cache")


def _children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _until(found: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not found():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


@contextmanager
def _running(
    workshop: Workshop, tmp_path: Path
) -> Iterator[tuple["subprocess.Popen[str]", Iterator[str]]]:
    environment = {**workshop.environment, "SHOAL_CACHE_DIR": str(tmp_path / "cache")}
    command = workshop.command(*_METHODS, "--out", str(tmp_path / "out"))
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        yield process, iter(process.stderr)
        process.kill()


def test_a_candidate_that_kills_its_worker_twice_is_a_row_and_the_run_goes_on(
    workshop: Workshop, tmp_path: Path
) -> None:
    deaths, victim = 0, ""
    with _running(workshop, tmp_path) as (process, told):
        for line in told:
            if line.startswith(victim or "trying graph + quantize") and deaths < 2:
                deaths, victim = deaths + 1, line
                (worker,) = _children(process.pid)
                doing = tmp_path / "cache" / "compress" / "doing" / f"{worker}.json"
                _until(doing.exists, "the worker marks what it builds")
                os.kill(worker, signal.SIGKILL)
        out, _ = process.communicate(timeout=_PATIENCE_S)
    assert deaths == 2
    assert process.returncode == 0
    (row,) = [row for row in json.loads(out)["rejected"] if "SIGKILL" in row["detail"]]
    assert row["reason"] == "BuildFailed"
    assert victim == f"trying {row['recipe']['title']}\n"
    assert json.loads(out)["chosen"] is not None


def test_a_worker_that_dies_once_loses_nothing(workshop: Workshop, tmp_path: Path) -> None:
    killed = False
    with _running(workshop, tmp_path) as (process, told):
        for line in told:
            if line.startswith("trying") and not killed:
                killed = True
                os.kill(_children(process.pid)[0], signal.SIGKILL)
        out, _ = process.communicate(timeout=_PATIENCE_S)
    assert process.returncode == 0
    assert not [row for row in json.loads(out)["rejected"] if "SIGKILL" in row["detail"]]


def test_the_worker_ends_with_its_supervisor(workshop: Workshop, tmp_path: Path) -> None:
    with _running(workshop, tmp_path) as (process, told):
        next(line for line in told if line.startswith("trying"))
        (worker,) = _children(process.pid)
        process.kill()
        _until(lambda: not _is_running(worker), "the worker ends")


def _is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_candidates_that_need_more_memory_than_allowed_are_rows(
    workshop: Workshop, tmp_path: Path
) -> None:
    other = Workshop(folder=workshop.folder, cache=tmp_path / "cache")
    ran = other.run(*_METHODS, "--memory-limit", "200MiB", "--out", str(tmp_path / "out"))
    assert ran.code == 0, ran.err
    refused = {row["recipe"]["title"]: row for row in ran.json["rejected"]}
    pruned = [row for title, row in refused.items() if "prune" in title]
    assert pruned
    assert {row["reason"] for row in pruned} == {"BuildFailed"}


@pytest.mark.parametrize("limit", ["plenty", "10MiB"])
def test_the_limit_of_memory_is_a_size_that_suffices(workshop: Workshop, limit: str) -> None:
    ran = workshop.run("--memory-limit", limit)
    assert ran.code == 2
    assert ran.json["error"]["field"] == "--memory-limit"
