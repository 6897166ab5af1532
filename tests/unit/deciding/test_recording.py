"""Decisions are kept byte for byte, and the planner decides the same from them again."""

import json
import os
import subprocess
import sys
import zlib
from dataclasses import replace
from pathlib import Path

import pytest

from shoal.controller.deciding import recording
from shoal.controller.domain.plan import Plan
from shoal.controller.domain.rollout import Verb
from shoal.controller.domain.snapshot import Snapshot
from shoal.controller.planning import planner
from tests.unit.planning.builders import ACCURACY, WRONG, a_strategy
from tests.unit.planning.worlds import World

AUTHOR = recording.Author(version="1", code="sha256:c0de")
Passes = list[tuple[Snapshot, Plan]]


class Watched(World):
    """A world that remembers what every pass saw and decided."""

    passes: Passes

    def turn(self, seconds: float = 0.0) -> Plan:
        before = self.record
        plan = super().turn(seconds)
        snapshot = replace(self.snapshot(), record=before)
        self.passes = [*getattr(self, "passes", []), (snapshot, plan)]
        return plan


def an_eventful_world() -> Watched:
    """A rollout, one that is refused once, one that fails its gate, an undo and an abort."""
    world = Watched(strategy=a_strategy(gates=(ACCURACY,)))
    world.finish()
    world.publish()
    world.turn(1.0)
    world.refuse(world.canaries()["small"])
    world.finish()
    world.publish()
    world.turn(1.0)
    world.soak(*world.canaries().values(), answers=WRONG)
    world.turn(1.0)
    world.finish()
    world.ask(Verb.UNDO)
    world.finish()
    world.ask(Verb.PAUSE)
    world.turn(1.0)
    return world


def test_every_decision_of_an_eventful_rollout_replays_byte_for_byte() -> None:
    passes = an_eventful_world().passes
    kept = [recording.record(*one, AUTHOR) for one in passes if recording.decided(*one)]
    assert len(kept) > 10
    for one in kept:
        replayed = recording.replay(one.facts, one.body)
        assert replayed.same, replayed.difference


def test_a_snapshot_reads_back_as_it_was() -> None:
    for snapshot, plan in an_eventful_world().passes:
        assert recording.snapshot_of(recording.record(snapshot, plan, AUTHOR).body) == snapshot


def test_a_pass_that_only_took_note_is_no_decision() -> None:
    world = Watched()
    world.finish()
    world.turn(1.0)
    assert not recording.decided(*world.passes[-1])


def test_the_facts_name_who_was_told_what_and_why() -> None:
    world = Watched()
    world.turn()
    facts = recording.record(*world.passes[-1], AUTHOR).facts
    assert facts["toldDevices"] == len(facts["told"]) == 3
    assert (facts["revision"], facts["result"], facts["wave"]) == (1, "active", 0)
    assert facts["events"][0]["reason"] == "Started"
    assert (facts["version"], facts["code"]) == ("1", "sha256:c0de")
    assert json.loads(json.dumps(facts)) == facts


def test_a_planner_that_decides_otherwise_is_found_out() -> None:
    world = Watched()
    world.turn()
    kept = recording.record(*world.passes[-1], AUTHOR)
    weaker = planner.GUARDS[:8] + planner.GUARDS[9:]
    replayed = recording.replay(kept.facts, kept.body, lambda one: planner.plan(one, weaker))
    assert not replayed.same
    assert replayed.difference.startswith("plan.")


def test_a_body_that_was_touched_is_found_out() -> None:
    world = Watched()
    world.turn()
    kept = recording.record(*world.passes[-1], AUTHOR)
    touched = zlib.compress(zlib.decompress(kept.body).replace(b"small", b"large"))
    assert (
        recording.replay(kept.facts, touched).difference == "what was kept is not what was written"
    )
    assert "cannot be read" in recording.replay(kept.facts, b"nonsense").difference


_REPLAYS = """
import json, sys
from pathlib import Path
from shoal.controller.deciding import recording
facts = json.loads(Path(sys.argv[1]).read_text())
print(recording.replay(facts, Path(sys.argv[2]).read_bytes()))
"""


@pytest.mark.parametrize("seed", ["1", "2"])
def test_another_process_with_other_hashes_decides_the_same(tmp_path: Path, seed: str) -> None:
    passes = [one for one in an_eventful_world().passes if recording.decided(*one)]
    kept = recording.record(*passes[-4], AUTHOR)
    (tmp_path / "facts").write_text(json.dumps(kept.facts))
    (tmp_path / "body").write_bytes(kept.body)
    command = [sys.executable, "-c", _REPLAYS, str(tmp_path / "facts"), str(tmp_path / "body")]
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    done = subprocess.run(command, env=environment, capture_output=True, check=True, text=True)
    assert "same=True" in done.stdout
