"""A child that reads foreign bytes can do little, and its end is told in one sentence."""

import sys
from pathlib import Path
from typing import Any

import pytest

from shoal.compressor.sources import sandbox
from shoal.compressor.sources.cell import landlock_version
from shoal.compressor.sources.sandbox import Cell, DiedError, Limits

HERE = "tests.unit.compressor.captive"
LIMITS = Limits(memory_bytes=2**31, cpu_seconds=20, file_bytes=2**20)


@pytest.fixture
def cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cell:
    monkeypatch.setenv("PYTHONPATH", ":".join(path for path in sys.path if path))
    folder = tmp_path / "cell"
    folder.mkdir()
    return Cell(folder=folder, limits=LIMITS)


def ask(cell: Cell, *calls: str, **values: str) -> Any:
    return sandbox.ask(HERE, {"calls": calls, **values}, cell)


@pytest.mark.skipif(landlock_version() < 1, reason="this kernel has no Landlock")
def test_it_writes_in_its_folder_and_nowhere_else(cell: Cell, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    answer = ask(cell, "write", inside=str(cell.folder / "inside"), outside=str(outside))
    assert answer == {"inside": "written", "outside": "PermissionError"}
    assert not outside.exists()


@pytest.mark.skipif(landlock_version() < 6, reason="this kernel's Landlock guards no signals")
def test_it_reaches_no_network_and_signals_nobody(cell: Cell) -> None:
    answer = ask(cell, "connect", "signal")
    assert answer["connect"] != "done"
    assert answer["signal"] == "PermissionError"


def test_secrets_stay_outside(cell: Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOAL_TOKEN", "hidden")
    monkeypatch.setenv("MY_SETTING", "seen")
    assert ask(cell, "environment") == {"SHOAL_TOKEN": None, "MY_SETTING": None}
    own = Cell(folder=cell.folder, limits=LIMITS, users_own=True)
    assert ask(own, "environment") == {"SHOAL_TOKEN": None, "MY_SETTING": "seen"}


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("crash", "SIGSEGV"),
        ("spin", "SIGXCPU|SIGKILL|too long"),
        ("fill", "SIGXFSZ|File too large"),
        ("fail", "ended with status 1: ValueError: no good"),
        ("leave", "ended with status 0"),
        ("talk", "ended with status 0"),
    ],
)
def test_the_end_of_a_child_is_told(cell: Cell, call: str, words: str) -> None:
    few = Limits(memory_bytes=2**31, cpu_seconds=1, file_bytes=2**20)
    with pytest.raises(DiedError, match=words):
        ask(Cell(folder=cell.folder, limits=few), call)


def test_memory_ends_where_the_limit_is(cell: Cell) -> None:
    assert ask(cell, "grow") == {"grow": "MemoryError"}
