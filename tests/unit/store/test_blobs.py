"""Blobs are complete and verified, or not there."""

import asyncio
from pathlib import Path

import pytest

from shoal.contract import digest as digests
from shoal.contract.problem import ConflictError, InvalidError, NotFoundError
from shoal.controller.store.blobs import Blobs

DATA = b"0123456789"
DIGEST = digests.of_bytes(DATA)


def upload(blobs: Blobs, offset: int, data: bytes, total: int = len(DATA)) -> bool:
    return asyncio.run(blobs.upload(DIGEST, offset, data, total))


def test_a_file_put_reads_back(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(DATA)
    blobs = Blobs(tmp_path / "data")
    assert not blobs.has(DIGEST)
    assert asyncio.run(blobs.put_file(source)) == DIGEST
    assert (blobs.has(DIGEST), blobs.size(DIGEST)) == (True, 10)
    assert blobs.path(DIGEST).read_bytes() == DATA
    assert asyncio.run(blobs.read(DIGEST, 4, 3)) == b"456"
    assert asyncio.run(blobs.read(DIGEST, 10, 3)) == b""


def test_an_absent_blob_is_not_found(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    with pytest.raises(NotFoundError):
        blobs.path(DIGEST)


def test_an_upload_goes_on_after_a_restart(tmp_path: Path) -> None:
    assert not upload(Blobs(tmp_path), 0, DATA[:4])
    again = Blobs(tmp_path)
    assert (again.uploaded(DIGEST), again.has(DIGEST)) == (4, False)
    assert upload(again, 4, DATA[4:])
    assert again.path(DIGEST).read_bytes() == DATA
    assert again.uploaded(DIGEST) == 0


def test_a_chunk_at_the_wrong_offset_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    upload(blobs, 0, DATA[:4])
    for offset in (0, 3, 5):
        with pytest.raises(ConflictError, match="byte 4"):
            upload(blobs, offset, b"x")
    assert blobs.uploaded(DIGEST) == 4


def test_bytes_of_another_digest_are_refused_and_the_upload_starts_over(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    with pytest.raises(InvalidError) as caught:
        upload(blobs, 0, b"x" * 10)
    assert caught.value.problem.reason == "DigestMismatch"
    assert (blobs.uploaded(DIGEST), blobs.has(DIGEST)) == (0, False)
    assert upload(blobs, 0, DATA)


def test_more_bytes_than_announced_are_refused(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    with pytest.raises(InvalidError, match="Upload-Length"):
        upload(blobs, 0, DATA, total=9)


def test_uploading_what_is_here_already_is_done_at_once(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    upload(blobs, 0, DATA)
    assert upload(blobs, 0, b"")


def test_an_upload_that_was_complete_when_the_controller_died_is_finished(tmp_path: Path) -> None:
    (tmp_path / "uploads").mkdir()
    (tmp_path / "uploads" / digests.hex_of(DIGEST)).write_bytes(DATA)
    (tmp_path / "uploads" / "put-left-over").write_bytes(b"half")
    blobs = Blobs(tmp_path)
    assert blobs.has(DIGEST)
    assert list((tmp_path / "uploads").iterdir()) == []


def test_of_two_senders_of_one_chunk_one_is_told_where_to_go_on(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)

    async def both() -> list[bool | BaseException]:
        return list(
            await asyncio.gather(
                blobs.upload(DIGEST, 0, DATA[:5], 10),
                blobs.upload(DIGEST, 0, DATA[:5], 10),
                return_exceptions=True,
            )
        )

    results = asyncio.run(both())
    assert sorted(type(r).__name__ for r in results) == ["ConflictError", "bool"]
    assert blobs.uploaded(DIGEST) == 5
