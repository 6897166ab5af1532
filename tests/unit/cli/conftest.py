"""A command line against a real HTTP server, and what it printed."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from shoal.cli import main
from tests.unit.client import api_server


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """How one command line ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Stdout as the one JSON document that it must be."""
        return json.loads(self.out)


Shoal = Callable[..., Ran]


@pytest.fixture
def api() -> Iterator[api_server.ApiServer]:
    with api_server.serving() as server:
        yield server


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of contexts, apart from that of whoever runs the tests."""
    path = tmp_path / "config" / "contexts.json"
    monkeypatch.setenv("SHOAL_CONFIG", str(path))
    return path


@pytest.fixture
def shoal(
    api: api_server.ApiServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Shoal:
    monkeypatch.setenv("SHOAL_SERVER", api.address)

    def run(*arguments: str) -> Ran:
        capsys.readouterr()
        code = main.run(arguments)
        out, err = capsys.readouterr()
        return Ran(code=code, out=out, err=err)

    return run
