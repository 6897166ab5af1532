"""Finished jobs as a cache: taken as they are, run again when damaged, gone when unused."""

import asyncio
import json
import os
import time
from pathlib import Path

import pytest

from shoal.contract.digest import Digest
from shoal.contract.problem import NotFoundError, Problem
from shoal.controller.reconcile.jobs import JobRequest, ProcessJobs
from tests.unit.reconcile.test_searches import PROFILE
from tests.unit.reconcile.workshop import a_report

KEPT_S = 3600
REQUEST = JobRequest(
    files=(("model", Digest("sha256:" + "a" * 64)),),
    quality=(("floor", "measured"), ("maxDrop", 0.02), ("metric", "top1"), ("minScore", None)),
    compression=(("effort", "quick"), ("methods", ()), ("objective", "accuracy"), ("seed", 0)),
    golden=2,
    profile=PROFILE,
)


def no_blob(digest: Digest) -> Path:
    """What a job asks for that is run: here it ends the attempt."""
    raise NotFoundError(Problem(reason="NotFound", message=f"the job is run again with {digest}"))


def a_finished_job(root: Path, key: str, at_s: int) -> Path:
    """A finished job that was last used at `at_s`."""
    out = root / key / "out"
    out.mkdir(parents=True)
    (out / "report.json").write_text(json.dumps(a_report(out)))
    (root / key / "in").mkdir()
    marker = root / key / "done"
    marker.touch()
    os.utime(marker, (at_s, at_s))
    return out


def test_a_finished_job_is_not_run_again(tmp_path: Path) -> None:
    out = a_finished_job(tmp_path, REQUEST.key, 1)
    result = asyncio.run(ProcessJobs(tmp_path, no_blob, KEPT_S).run(REQUEST))
    assert result.folder == out
    assert len(result.report["pareto"]) == 2


@pytest.mark.parametrize("damaged", ["report.json", "little.onnx", "golden.npz", "big.npz"])
def test_a_finished_job_with_a_damaged_cache_is_run_again(tmp_path: Path, damaged: str) -> None:
    out = a_finished_job(tmp_path, REQUEST.key, 1)
    (out / damaged).unlink()
    if damaged == "report.json":
        (out / damaged).write_text('{"pareto": [')
    with pytest.raises(NotFoundError, match="run again"):
        asyncio.run(ProcessJobs(tmp_path, no_blob, KEPT_S).run(REQUEST))


def test_jobs_that_nobody_used_for_long_go_whether_they_ended_or_not(tmp_path: Path) -> None:
    now_s = int(time.time())
    for name, used_s in (("old", KEPT_S + 60), ("young", KEPT_S - 60)):
        a_finished_job(tmp_path, name, now_s - used_s)
        begun = tmp_path / f"{name} and unfinished" / "in"
        begun.mkdir(parents=True)
        os.utime(begun, (now_s - used_s, now_s - used_s))
    a_finished_job(tmp_path, REQUEST.key, now_s - KEPT_S - 60)  # old as well, and used again
    asyncio.run(ProcessJobs(tmp_path, no_blob, KEPT_S).run(REQUEST))
    left = {one.name for one in tmp_path.iterdir()}
    assert left == {REQUEST.key, "young", "young and unfinished"}


def test_the_folder_of_a_job_that_is_being_used_stays_however_short_the_time(
    tmp_path: Path,
) -> None:
    out = a_finished_job(tmp_path, REQUEST.key, 1)
    asyncio.run(ProcessJobs(tmp_path, no_blob, -1).run(REQUEST))  # as if the clock was set on
    assert out.is_dir()
