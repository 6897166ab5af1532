"""A blob under its name is complete and verified, whatever was cut off (I2, I3)."""

from pathlib import Path

import pytest

from shoal.agent.errors import StageError
from shoal.agent.update.blobs import BlobStore
from shoal.agent.update.slots import SlotLinks
from shoal.contract import digest
from shoal.contract.assignment import Artifact, ArtifactRole
from shoal.contract.digest import hex_of
from shoal.contract.reason import Reason
from tests.unit.agent_core.memory_disk import MemoryDisk, PowerCutError

CONTENT = bytes(range(256)) * 4
ARTIFACT = Artifact(
    role=ArtifactRole.MODEL,
    name="m.onnx",
    digest=digest.of_bytes(CONTENT),
    size_bytes=len(CONTENT),
)
FOLDER = Path("/state/blobs")


def store(disk: MemoryDisk) -> BlobStore:
    return BlobStore(disk, FOLDER)


def fetch(blobs: BlobStore, content: bytes = CONTENT) -> None:
    """As the agent does: resume, append in pieces, finish."""
    for start in range(blobs.partial_bytes(ARTIFACT.digest), len(content), 300):
        blobs.append(ARTIFACT, content[start : start + 300])
    blobs.finish(ARTIFACT)


def test_a_power_cut_at_any_operation_never_leaves_half_a_blob_under_its_name() -> None:
    for cut_at in range(1, 20):
        disk = MemoryDisk(cut_at=cut_at)
        try:
            fetch(store(disk))
        except PowerCutError:
            disk = disk.restarted()
        blobs = store(disk)
        if blobs.has(ARTIFACT.digest):
            assert disk.read(blobs.path(ARTIFACT.digest)) == CONTENT
        else:
            fetch(blobs)
        blobs.verify(ARTIFACT.digest)


def test_a_finished_blob_outlives_a_power_cut() -> None:
    disk = MemoryDisk()
    fetch(store(disk))
    store(disk.restarted()).verify(ARTIFACT.digest)


def test_wrong_bytes_are_dropped() -> None:
    blobs = store(MemoryDisk())
    with pytest.raises(StageError) as caught:
        fetch(blobs, CONTENT[:-1] + b"!")
    assert caught.value.reason is Reason.DIGEST_MISMATCH
    assert blobs.partial_bytes(ARTIFACT.digest) == 0
    assert not blobs.has(ARTIFACT.digest)


def test_more_bytes_than_announced_are_refused_as_they_come() -> None:
    blobs = store(MemoryDisk())
    with pytest.raises(StageError) as caught:
        fetch(blobs, CONTENT + b"more")
    assert caught.value.reason is Reason.DIGEST_MISMATCH


def test_a_full_disk_is_named() -> None:
    disk = MemoryDisk(full=True)
    with pytest.raises(StageError) as caught:
        store(disk).append(ARTIFACT, b"x")
    assert caught.value.reason is Reason.DISK_FULL
    with pytest.raises(StageError):
        store(disk).finish(ARTIFACT)


def test_an_empty_artifact_needs_no_bytes() -> None:
    empty = Artifact(
        role=ArtifactRole.ASSET, name="none", digest=digest.of_bytes(b""), size_bytes=0
    )
    blobs = store(MemoryDisk())
    blobs.finish(empty)
    assert blobs.has(empty.digest)


def test_damage_on_disk_is_found_before_use_and_fetched_again() -> None:
    disk = MemoryDisk()
    fetch(store(disk))
    blobs = store(disk)
    path = blobs.path(ARTIFACT.digest)
    disk.truncate(path, 10)
    with pytest.raises(StageError) as caught:
        blobs.verify(ARTIFACT.digest)
    assert caught.value.reason is Reason.DIGEST_MISMATCH
    assert blobs.survey([ARTIFACT]).missing == (ARTIFACT,)
    fetch(blobs)
    assert blobs.survey([ARTIFACT]).missing == ()


def test_the_survey_counts_what_is_there_already() -> None:
    disk = MemoryDisk(free=5_000)
    blobs = store(disk)
    blobs.append(ARTIFACT, CONTENT[:24])
    found = blobs.survey([ARTIFACT, ARTIFACT])
    assert found.missing_bytes == 1_000
    assert found.free_bytes == 5_000


def test_garbage_goes_and_what_is_referenced_stays() -> None:
    disk = MemoryDisk()
    blobs = store(disk)
    fetch(blobs)
    other = Artifact(
        role=ArtifactRole.MODEL, name="o", digest=digest.of_bytes(b"other"), size_bytes=5
    )
    blobs.append(other, b"oth")
    blobs.collect({ARTIFACT.digest})
    assert disk.names(FOLDER / "sha256") == (hex_of(ARTIFACT.digest),)
    blobs.collect(set())
    assert disk.names(FOLDER / "sha256") == ()


def test_links_point_at_blobs_and_go_with_their_deployment() -> None:
    disk = MemoryDisk()
    links = SlotLinks(disk, Path("/state/slots"))
    one, two = digest.of_bytes(b"1"), digest.of_bytes(b"2")
    folder = Path("/state/slots/default.digits")
    links.point("default/digits", one, None)
    links.point("default/digits", two, one)
    assert disk.target(folder / "current") == f"../../blobs/sha256/{hex_of(two)}"
    assert disk.target(folder / "previous") == f"../../blobs/sha256/{hex_of(one)}"
    assert disk.restarted().target(folder / "current") == disk.target(folder / "current")
    operations = disk.operations
    links.point("default/digits", two, one)
    assert disk.operations == operations
    links.point("default/digits", None, None)
    assert disk.names(folder) == ()


def test_a_power_cut_at_any_operation_leaves_the_old_or_the_new_link() -> None:
    one, two = digest.of_bytes(b"1"), digest.of_bytes(b"2")
    current = Path("/state/slots/default.digits/current")
    for cut_at in range(5, 12):  # the first link takes four operations
        disk = MemoryDisk(cut_at=cut_at)
        links = SlotLinks(disk, Path("/state/slots"))
        links.point("default/digits", one, None)
        try:
            links.point("default/digits", two, one)
        except PowerCutError:
            disk = disk.restarted()
            assert disk.target(current) in {
                f"../../blobs/sha256/{hex_of(one)}",
                f"../../blobs/sha256/{hex_of(two)}",
            }
        SlotLinks(disk, Path("/state/slots")).point("default/digits", two, one)
