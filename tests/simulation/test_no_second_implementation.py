"""The simulation runs what ships: only ports are fakes.

A second planner, table or store would prove nothing about the first.
"""

import ast
from pathlib import Path

import pytest

from shoal.agent.core import machine, table
from shoal.controller.planning import planner
from shoal.controller.reconcile import deployments
from shoal.controller.store.memory import MemoryStore
from shoal.lab.simulation import controller, device
from shoal.lab.simulation.simulation import Simulation

HARNESS = Path(controller.__file__).parent
MODULES = sorted(HARNESS.glob("*.py"))
# What only production may define: whoever plans, steps, stores or merges.
PRODUCTION = {"plan", "step", "commit", "merge", "reconcile", "resume", "affected", "observe"}


def hands_on(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether it only looks at what production does: it asks the method that it stands for."""
    text = ast.unparse(function)
    return any(f"{asked}.{function.name}(" in text for asked in ("super()", "self.kept_in"))


def test_the_parts_are_the_production_ones() -> None:
    assert vars(controller)["deployments"] is deployments
    assert vars(deployments)["planner"] is planner
    assert vars(device)["machine"] is machine
    assert vars(machine)["TABLE"] is table.TABLE
    assert isinstance(Simulation(0).store.kept_in, MemoryStore)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_no_module_of_the_harness_defines_what_production_decides(path: Path) -> None:
    tree = ast.parse(path.read_text())
    defined = {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not hands_on(node)
    }
    assert not defined & PRODUCTION


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_nothing_of_production_is_patched(path: Path) -> None:
    text = path.read_text()
    for word in ("monkeypatch", "setattr", "unittest.mock", "patch("):
        assert word not in text
