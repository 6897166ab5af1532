"""One wheel for all tests of the distribution, and clean environments to install it into."""

import os
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
CONSTRAINTS = REPOSITORY / "requirements" / "constraints.txt"
Pip = Callable[..., None]


@pytest.fixture(scope="session")
def pip() -> Pip:
    """Runs pip with the pins and PIP_ARGS; its own environment variables work as always."""

    def run(*arguments: str, python: Path = Path(sys.executable)) -> None:
        verb, *rest = arguments
        extra = os.environ.get("PIP_ARGS", "").split()
        line = [str(python), "-m", "pip", verb, "-q", "-c", str(CONSTRAINTS), *extra, *rest]
        done = subprocess.run(line, capture_output=True, check=False, text=True)
        assert done.returncode == 0, done.stdout + done.stderr

    return run


def installed(python: Path) -> set[str]:
    """The distributions in the environment of `python`, by their normal names."""
    line = [str(python), "-m", "pip", "list", "--format=freeze"]
    listed = subprocess.run(line, capture_output=True, check=True, text=True).stdout
    return {one.partition("==")[0].lower() for one in listed.splitlines()}


@pytest.fixture(scope="session")
def wheel(pip: Pip, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this source tree."""
    out = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-deps", "--wheel-dir", str(out), str(REPOSITORY))
    return next(out.glob("shoal-*.whl"))


@pytest.fixture
def clean_python(tmp_path: Path) -> Path:
    """The interpreter of an environment with nothing but pip in it."""
    venv.create(tmp_path / "clean", with_pip=True)
    return tmp_path / "clean" / "bin" / "python"
