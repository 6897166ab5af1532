"""The cache of a search: what it keeps, and what it refuses after a process died."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from shoal.compressor.passes.protocol import PassError
from shoal.compressor.rejections import Rejection
from shoal.compressor.search.cache import Cache

DYING = """
import os, signal, sys
from pathlib import Path
from shoal.compressor.search.cache import Cache
cache = Cache(Path(sys.argv[1]))
cache.entry("outer", lambda: cache.entry("inner", lambda: os.kill(os.getpid(), signal.SIGKILL)))
"""


def test_what_a_dead_process_was_making_is_refused_with_the_reason(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", DYING, str(tmp_path)])
    assert child.wait() == -signal.SIGKILL
    cache = Cache(tmp_path)
    assert cache.condemn("the process that built it died: out of memory", child.pid, lasting=True)
    with pytest.raises(PassError, match="died: out of memory") as caught:
        cache.entry("inner", lambda: "made again")
    assert caught.value.reason is Rejection.BUILD_FAILED
    assert cache.entry("outer", lambda: "made") == "made"


def test_a_kill_is_held_against_a_candidate_by_its_own_run_alone(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", DYING, str(tmp_path)])
    child.wait()
    cache = Cache(tmp_path)
    assert cache.condemn("it was killed", child.pid, lasting=False)
    # This process condemned, and its workers are its children; it is not one of them itself.
    assert cache.entry("inner", lambda: "made again") == "made again"
    child = subprocess.Popen([sys.executable, "-c", DYING, str(tmp_path / "other")])
    child.wait()
    other = Cache(tmp_path / "other")
    assert other.condemn("it was killed", child.pid, lasting=False)
    worker = subprocess.run(
        [sys.executable, "-c", DYING, str(tmp_path / "other")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "it was killed" in worker.stderr


def test_nothing_is_condemned_where_nothing_was_being_made(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.entry("cause", lambda: 1)
    with pytest.raises(ZeroDivisionError):
        cache.entry("other", lambda: 1 // 0)
    assert not cache.condemn("it died", os.getpid(), lasting=True)
    assert cache.entry("other", lambda: 2) == 2


def test_one_death_condemns_one_entry(tmp_path: Path) -> None:
    cache = Cache(tmp_path)

    def dies() -> int:
        assert Cache(tmp_path).condemn("it died", os.getpid(), lasting=True)
        assert not Cache(tmp_path).condemn("it died", os.getpid(), lasting=True)
        return 3

    cache.entry("cause", dies)
    assert Cache(tmp_path).get("cause") == 3  # it lived after all: what it made counts


def test_a_full_disk_keeps_no_half_of_a_file_and_names_the_whole_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = Cache(tmp_path)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left") as caught:
        cache.put("cause", 1)
    assert Path(str(caught.value.filename)).parent == tmp_path / "entries"
    assert not list(tmp_path.rglob(".part-*"))
