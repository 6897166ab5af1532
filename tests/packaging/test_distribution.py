"""What the wheel holds and what each extra brings."""

import subprocess
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.packaging.conftest import REPOSITORY, Pip, installed

LEAVES = (
    "agent",
    "cli",
    "client",
    "compressor",
    "contract",
    "controller",
    "engines",
    "lab",
    "resources",
    "v1",
)
AARCH64 = (
    "manylinux_2_28_aarch64",
    "manylinux_2_27_aarch64",
    "manylinux_2_17_aarch64",
    "manylinux2014_aarch64",
)


@pytest.fixture(scope="session")
def entries(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.mark.slow
def test_the_agent_installs_without_the_rest(pip: Pip, wheel: Path, clean_python: Path) -> None:
    pip("install", f"{wheel}[agent]", python=clean_python)
    found = installed(clean_python)
    unwanted = {"torch", "sqlmodel", "sqlalchemy", "fastapi", "starlette", "flask", "aiohttp"}
    assert not found & unwanted
    assert {"onnxruntime", "grpcio", "paho-mqtt", "uvicorn"} <= found
    programs = clean_python.parent
    subprocess.run([programs / "shoal-agent", "--help"], check=True, capture_output=True)
    subprocess.run([programs / "shoal", "--help"], check=True, capture_output=True)
    absent = subprocess.run([programs / "shoal", "serve"], check=False, capture_output=True)
    assert absent.returncode == 2
    assert b"shoal[controller]" in absent.stderr


@pytest.mark.slow
def test_the_operator_installs_without_numbers(pip: Pip, wheel: Path, clean_python: Path) -> None:
    pip("install", str(wheel), python=clean_python)
    found = installed(clean_python)
    assert not found & {"numpy", "torch", "sqlmodel", "sqlalchemy", "grpcio", "fastapi"}
    explained = [str(clean_python.parent / "shoal"), "explain", "model.spec"]
    assert b"source" in subprocess.run(explained, check=True, capture_output=True).stdout


@pytest.mark.slow
def test_every_dependency_of_the_agent_has_an_aarch64_wheel(pip: Pip, tmp_path: Path) -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["agent"]]
    platforms = [flag for name in AARCH64 for flag in ("--platform", name)]
    version = ("--only-binary=:all:", "--python-version", "3.11")
    pip("download", "--dest", str(tmp_path), *version, *platforms, *wanted)
    assert list(tmp_path.glob("onnxruntime-*aarch64.whl"))


def test_every_leaf_is_typed_and_the_namespace_is_open(entries: set[str]) -> None:
    assert {f"shoal/{leaf}/py.typed" for leaf in LEAVES} <= entries
    assert "shoal/__init__.py" not in entries


def test_the_demo_travels_in_the_wheel(entries: set[str]) -> None:
    digits = {
        path.name for path in (REPOSITORY / "examples" / "digits").iterdir() if path.is_file()
    }
    assert {f"shoal/lab/examples/digits/{name}" for name in digits} <= entries


def test_nothing_else_is_in_the_wheel(entries: set[str]) -> None:
    others = {name for name in entries if not name.startswith(("shoal/", "shoal-"))}
    assert not others


def test_every_module_is_in_the_wheel(entries: set[str]) -> None:
    missing = [
        str(path)
        for root in ("controller", "agent", "compressor", "proto")
        for path in (REPOSITORY / root / "shoal").rglob("*.py")
        if str(path.relative_to(REPOSITORY / root)) not in entries
    ]
    assert not missing


def test_the_three_programs_are_there(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        name = next(one for one in archive.namelist() if one.endswith("entry_points.txt"))
        points = archive.read(name).decode()
    for program in ("shoal =", "shoal-agent =", "shoal-compress =", "serve =", "demo =", "lab ="):
        assert program in points
