"""What is uploaded for a model is of the kind that its name says."""

import zipfile
from pathlib import Path

import pytest

from shoal.client import modelfile
from shoal.contract.problem import InvalidError


@pytest.mark.parametrize("name", ["net.pt2", "forest.skops"])
def test_an_archive_is_uploaded_as_it_is(name: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / name, "w") as archive:
        archive.writestr("schema.json", "{}")
    assert modelfile.prepared(tmp_path / name, tmp_path) == tmp_path / name


def test_a_tflite_file_is_uploaded_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "net.TFLITE"
    path.write_bytes(b"\x1c\0\0\0TFL3 and the rest")
    assert modelfile.prepared(path, tmp_path) == path


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("net.pt2", b"\x80\x04a pickle", "UnsafeFormat"),
        ("net.skops", b"", "Invalid"),
        ("net.tflite", b"PK\x03\x04 an archive", "Invalid"),
        ("net.onnx", b"", "NotOnnx"),
    ],
)
def test_a_file_that_is_not_what_its_name_says_is_refused(
    name: str, data: bytes, reason: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(InvalidError) as caught:
        modelfile.prepared(path, tmp_path)
    assert caught.value.problem.reason == reason
    assert name in caught.value.problem.message
