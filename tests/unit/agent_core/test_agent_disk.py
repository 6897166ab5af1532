"""Every disk keeps the promises that updates rest on."""

from collections.abc import Callable
from pathlib import Path

import pytest

from shoal.agent.core.ports import Disk
from shoal.agent.update.disk import LocalDisk
from shoal.contract import digest
from tests.unit.agent_core.memory_disk import MemoryDisk

DISKS: dict[str, Callable[[Path], Disk]] = {"local": LocalDisk, "memory": lambda _: MemoryDisk()}


@pytest.fixture(params=sorted(DISKS))
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Disk:
    return DISKS[request.param](tmp_path)


def test_content_grows_and_is_cut(disk: Disk, tmp_path: Path) -> None:
    path = tmp_path / "folder" / "file"
    assert disk.size(path) is None
    disk.append(path, b"abc")
    disk.append(path, b"def")
    disk.sync(path)
    disk.sync_directory(path.parent)
    assert disk.size(path) == 6
    assert disk.digest(path) == digest.of_bytes(b"abcdef")
    disk.truncate(path, 2)
    assert disk.read(path) == b"ab"


def test_a_rename_replaces(disk: Disk, tmp_path: Path) -> None:
    disk.append(tmp_path / "a", b"new")
    disk.append(tmp_path / "b", b"old")
    disk.rename(tmp_path / "a", tmp_path / "b")
    assert disk.read(tmp_path / "b") == b"new"
    assert disk.names(tmp_path) == ("b",)
    with pytest.raises(FileNotFoundError):
        disk.rename(tmp_path / "a", tmp_path / "b")
    with pytest.raises(FileNotFoundError):
        disk.read(tmp_path / "a")


def test_a_link_is_made_once_and_is_no_file(disk: Disk, tmp_path: Path) -> None:
    path = tmp_path / "slots" / "current"
    assert disk.target(path) is None
    disk.link("../blob", path)
    assert disk.target(path) == "../blob"
    assert disk.size(path) is None
    with pytest.raises(FileExistsError):
        disk.link("../blob", path)


def test_removing_what_is_not_there_does_nothing(disk: Disk, tmp_path: Path) -> None:
    path = tmp_path / "folder" / "file"
    disk.remove(path)
    disk.append(path, b"x")
    disk.remove(path)
    disk.remove(path.parent)
    assert disk.names(path.parent) == ()
    assert disk.free_bytes() > 0
