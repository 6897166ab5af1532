"""A kept decision names the code that took it."""

import shutil
import subprocess
import sys
from pathlib import Path

import shoal.controller.planning
from shoal.controller.reconcile import authorship

_ASKS = "from shoal.controller.reconcile import authorship; print(authorship.author('1').code)"


def test_the_same_sources_are_the_same_author() -> None:
    assert authorship.author("1") == authorship.author("1")
    assert authorship.author("1").code.startswith("sha256:")


def test_another_planner_is_another_author(tmp_path: Path) -> None:
    roots = {
        name: Path(shoal.controller.planning.__file__).parents[4] / name
        for name in ("controller", "proto")
    }
    assert roots["proto"].is_dir()
    for name, root in roots.items():
        shutil.copytree(root, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    assert _code_of(tmp_path) == authorship.author("1").code
    planner = tmp_path / "controller/shoal/controller/planning/planner.py"
    planner.write_text(planner.read_text() + "\n")
    assert _code_of(tmp_path) != authorship.author("1").code


def _code_of(checkout: Path) -> str:
    """What a program that runs from this checkout says of itself."""
    paths = [str(checkout / "controller"), str(checkout / "proto")]
    script = f"import sys; sys.path[:0] = {paths!r}; {_ASKS}"
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=True, text=True
    ).stdout.strip()
