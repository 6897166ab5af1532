"""Uploads arrive whole, whatever happens in between."""

from pathlib import Path

import pytest

from shoal.client import Client
from shoal.contract import digest, limits
from tests.unit.client.api_server import ApiServer


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "UPLOAD_CHUNK_BYTES", 10)


@pytest.mark.usefixtures("small_chunks")
def test_a_file_is_sent_in_chunks(api: ApiServer, client: Client, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"0123456789" * 3 + b"end")
    seen: list[tuple[int, int]] = []
    named = client.blobs.upload(path, progress=lambda done, total: seen.append((done, total)))
    assert api.blobs[named] == path.read_bytes()
    assert seen == [(0, 33), (10, 33), (20, 33), (30, 33), (33, 33)]


@pytest.mark.usefixtures("small_chunks")
def test_a_broken_upload_goes_on_where_it_ended(
    api: ApiServer, client: Client, tmp_path: Path
) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"0123456789" * 3)
    api.cut_uploads_after = 1
    named = client.blobs.upload(path)
    assert api.blobs[named] == path.read_bytes()
    assert sum(request.startswith('"PATCH') for request in api.requests) == 2


def test_what_is_there_is_not_sent_again(api: ApiServer, client: Client, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"weights")
    api.blobs[digest.of_file(path)] = b"weights"
    client.blobs.upload(path)
    assert client.blobs.has(digest.of_file(path))
    assert not any(request.startswith('"PATCH') for request in api.requests)


def test_an_empty_file_can_be_sent(api: ApiServer, client: Client, tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.touch()
    assert client.blobs.upload(path) in api.blobs
