"""A world on a memory store and real blobs, whose searches the test answers.

Whatever passes have concluded by the end of a test has to be documented, field by field.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shoal.controller.reconcile.world import Cadence, World
from shoal.controller.store.blobs import Blobs
from shoal.controller.store.memory import MemoryStore
from shoal.resources.kinds import KINDS
from tests.unit.reconcile.workshop import NOW, ScriptedJobs
from tests.unit.resources import statuses


@pytest.fixture
def jobs(tmp_path: Path) -> ScriptedJobs:
    folder = tmp_path / "job"
    folder.mkdir()
    return ScriptedJobs(folder=folder)


@pytest.fixture
def world(tmp_path: Path, jobs: ScriptedJobs) -> Iterator[World]:
    made = World(
        store=MemoryStore(),
        blobs=Blobs(tmp_path / "data"),
        jobs=jobs,
        now=lambda: NOW,
        cadence=Cadence(heartbeat_s=1, telemetry_window_s=1),
    )
    yield made
    for kind in KINDS:
        for record in made.cache.all(kind):
            statuses.check(kind, record.data.get("status") or {})
