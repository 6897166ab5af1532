"""A world on a memory store and real blobs, whose searches the test answers."""

from pathlib import Path

import pytest

from shoal.controller.reconcile.world import Cadence, World
from shoal.controller.store.blobs import Blobs
from shoal.controller.store.memory import MemoryStore
from tests.unit.reconcile.workshop import NOW, ScriptedJobs


@pytest.fixture
def jobs(tmp_path: Path) -> ScriptedJobs:
    folder = tmp_path / "job"
    folder.mkdir()
    return ScriptedJobs(folder=folder)


@pytest.fixture
def world(tmp_path: Path, jobs: ScriptedJobs) -> World:
    return World(
        store=MemoryStore(),
        blobs=Blobs(tmp_path / "data"),
        jobs=jobs,
        now=lambda: NOW,
        cadence=Cadence(heartbeat_s=1, telemetry_window_s=1),
    )
