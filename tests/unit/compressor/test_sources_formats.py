"""MODEL is told by its suffix, by its form or by its first bytes; a pickle is never opened."""

import pickle
import zipfile
from pathlib import Path

import pytest

from shoal.compressor.sources import formats, zips
from shoal.compressor.sources.formats import Trust
from shoal.compressor.sources.origin import OriginFormat
from shoal.contract.problem import InvalidError, NotFoundError


@pytest.mark.parametrize("suffix", ["onnx", "pt2", "tflite", "skops"])
def test_a_suffix_tells_the_format(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"model.{suffix}"
    path.touch()
    origin = formats.admit(str(path))
    assert origin.format.value == suffix
    assert origin.name == f"model.{suffix}"


@pytest.mark.parametrize("suffix", ["pkl", "pickle", "joblib", "pt", "pth", "bin", "ckpt"])
def test_a_pickle_is_refused_with_the_safe_way(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"model.{suffix}"
    path.touch()
    with pytest.raises(InvalidError) as caught:
        formats.admit(str(path))
    problem = caught.value.problem
    assert problem.reason == "UnsafeFormat"
    assert ".skops" in str(problem.hint) or ".pt2" in str(problem.hint)
    assert "--trust-pickle" in str(problem.hint)
    origin = formats.admit(str(path), Trust(pickle=True))
    assert origin.format is OriginFormat.PICKLE
    assert origin.trust_pickle


def test_what_the_user_trusts_travels_with_the_origin(tmp_path: Path) -> None:
    path = tmp_path / "model.skops"
    path.touch()
    assert formats.admit(str(path), Trust(types=("own.Type",))).trusted == ("own.Type",)


@pytest.mark.parametrize("text", ["module:make", "package.module:make", "_a.b1:c_2"])
def test_a_loader_is_told_by_its_form(text: str) -> None:
    origin = formats.admit(text)
    assert origin.format is OriginFormat.LOADER
    assert origin.location == text


@pytest.mark.parametrize("text", ["absent.onnx", "module:", ":make", "1module:make", "a/b:make"])
def test_what_is_not_there_is_not_found(text: str) -> None:
    with pytest.raises(NotFoundError):
        formats.admit(text)


def test_another_kind_of_file_is_refused_with_those_that_are_known(tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    path.touch()
    with pytest.raises(InvalidError, match="no kind of model") as caught:
        formats.admit(str(path))
    assert ".onnx" in str(caught.value.problem.hint)


def test_an_archive_without_suffix_that_is_cut_is_told_so(tmp_path: Path) -> None:
    blob = a_zip(tmp_path / "5f3a", "m/archive_format")
    blob.write_bytes(blob.read_bytes()[:-20])
    with pytest.raises(InvalidError) as caught:
        formats.admit(str(blob))
    assert caught.value.problem.reason == "TruncatedModel"


def a_zip(path: Path, *names: str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, b"")
    return path


def test_a_name_without_suffix_is_told_by_its_content(tmp_path: Path) -> None:
    blob = tmp_path / "5f3a"
    blob.write_bytes(b"\x1c\0\0\0TFL3" + b"\0" * 20)
    assert formats.admit(str(blob)).format is OriginFormat.TFLITE
    blob.write_bytes(b"\x08\x08")
    assert formats.admit(str(blob)).format is OriginFormat.ONNX
    assert formats.admit(str(a_zip(blob, "schema.json"))).format is OriginFormat.SKOPS
    assert formats.admit(str(a_zip(blob, "m/archive_format"))).format is OriginFormat.PT2


def test_a_pickle_without_suffix_is_a_pickle_still(tmp_path: Path) -> None:
    blob = tmp_path / "5f3a"
    blob.write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(InvalidError, match="pickle"):
        formats.admit(str(blob))
    with pytest.raises(InvalidError, match="pickle"):
        formats.admit(str(a_zip(blob, "archive/data.pkl")))
    assert formats.admit(str(blob), Trust(pickle=True)).format is OriginFormat.PICKLE


def refused(path: Path) -> str:
    with pytest.raises(InvalidError) as caught, zips.opened(path):
        pass
    assert caught.value.problem.hint
    return caught.value.problem.reason


def test_a_bomb_is_refused_by_its_index(tmp_path: Path) -> None:
    path = tmp_path / "bomb.pt2"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", b"\0" * (80 * 1024 * 1024))
    assert refused(path) == "ModelTooLarge"


def test_an_index_that_claims_too_much_is_never_read(tmp_path: Path) -> None:
    path = tmp_path / "index.pt2"
    end = b"PK\x05\x06" + b"\0" * 8 + (2**31).to_bytes(4, "little") + b"\0" * 6
    path.write_bytes(zips.MAGIC + b"\0" * 100 + end)
    assert refused(path) == "ModelTooLarge"


@pytest.mark.parametrize("name", ["/etc/passwd", "../outside", "a/../../outside"])
def test_a_member_outside_its_folder_is_refused(name: str, tmp_path: Path) -> None:
    assert refused(a_zip(tmp_path / "path.pt2", name)) == "TruncatedModel"


def test_two_members_of_one_name_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "twice.pt2"
    with pytest.warns(UserWarning, match="Duplicate"):
        a_zip(path, "a", "a")
    assert refused(path) == "TruncatedModel"


def test_a_member_that_lies_about_its_size_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "lies.pt2"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a", b"x" * 100)
    data = path.read_bytes().replace((100).to_bytes(4, "little"), (50).to_bytes(4, "little"))
    path.write_bytes(data)
    with zips.opened(path) as archive, pytest.raises(InvalidError):
        zips.read(archive, "a", 1_000)


@pytest.mark.parametrize("keep", [10, 60, 100])
def test_a_truncated_archive_is_told(keep: int, tmp_path: Path) -> None:
    path = a_zip(tmp_path / "cut.pt2", "a", "b")
    path.write_bytes(path.read_bytes()[:keep])
    assert refused(path) == "TruncatedModel"
