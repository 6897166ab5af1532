"""Whatever users bring: nothing accepted that does not load or misses the floor."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from tests.compress.workshop import Workshop
from tests.compress.zoo import ANIMALS, Animal, Array, by_chance

SLOW = {"two_inputs", "tokens", "outliers"}  # they are trained, or have many layers to choose among
EXACT = 1e-6
UNIT = 32  # of the streaming model's states

Run = tuple[Workshop, Animal, Any]


@pytest.fixture(
    scope="module",
    params=[pytest.param(n, marks=[pytest.mark.slow] * (n in SLOW)) for n in ANIMALS],
)
def ran(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    animal = ANIMALS[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    animal.write(folder)
    workshop = Workshop(folder=folder, cache=folder / "cache")
    done = workshop.run(*options(workshop, animal))
    assert done.code == 0, done.err
    assert "Traceback" not in done.err
    return workshop, animal, done.json


def options(workshop: Workshop, animal: Animal) -> list[str]:
    train = ["--train", str(workshop.folder / "train.npz")] if animal.train else []
    return [*animal.options, *train]


def answers(path: Path, animal: Animal, rows: dict[str, Array]) -> Array:
    """Every row's answer from a fresh session, one row at a time."""
    session = onnxruntime.InferenceSession(str(path))
    names = [port.name for port in session.get_inputs() if port.name not in animal.states]
    held: dict[str, Array] = {}
    given = []
    for row in range(len(rows[names[0]])):
        if animal.states and (row == 0 or rows["stream"][row] != rows["stream"][row - 1]):
            held = {name: np.zeros((1, 1, UNIT), np.float32) for name in animal.states}
        feed = {name: rows[name][row : row + 1] for name in names} | held
        answer, *after = session.run([animal.output, *animal.states.values()], feed)
        held = dict(zip(animal.states, after, strict=True))
        given.append(answer)
    return np.stack(given)


def test_what_is_reported_is_what_users_recompute(ran: Run) -> None:
    workshop, animal, report = ran
    with np.load(workshop.folder / "evaluation.npz") as archive:
        rows = dict(archive)
    source = answers(workshop.folder / "source.onnx", animal, rows)
    labels = rows.get("y", np.zeros(0))
    for row in [*report["pareto"], report["chosen"]]:
        path = workshop.folder / "out" / row["file"]
        data = path.read_bytes()
        assert row["bytes"] == len(data)
        assert row["digest"] == f"sha256:{hashlib.sha256(data).hexdigest()}"
        found = answers(path, animal, rows)
        score = animal.score(found, source, labels)
        assert row["score"] == pytest.approx(score, abs=EXACT)
        assert score >= report["constraints"]["min_score"] - EXACT
        apart = np.abs(found.astype(np.float64) - source.astype(np.float64)).max()
        assert row["parity"]["max_abs"] == pytest.approx(apart, rel=1e-3, abs=1e-5)


def test_the_chosen_one_is_no_slower_than_the_source(ran: Run) -> None:
    chosen = ran[2]["chosen"]
    assert chosen["is_source"] or chosen["latency_ratio"] <= 1.03
    assert not chosen.get("slower_than_source")
    assert chosen["digest"] in {row["digest"] for row in ran[2]["pareto"]}


def test_other_wishes_are_answered_from_the_archive(ran: Run) -> None:
    workshop, animal, report = ran
    built = kept(workshop)
    for wish in ([], ["--objective", "bytes"], ["--budget", "artifact=1GiB,latency=10s"]):
        again = workshop.run(*options(workshop, animal), *wish, "--out", str(workshop.folder / "o"))
        assert again.code == 0, again.err
        assert tried(again.json) == tried(report)
        if wish != ["--objective", "bytes"]:
            assert again.json["chosen"]["digest"] == report["chosen"]["digest"]
    assert kept(workshop) == built


@pytest.mark.slow
def test_a_fresh_cache_holds_the_same_bytes(ran: Run, tmp_path: Path) -> None:
    workshop, animal, report = ran
    fresh = Workshop(folder=workshop.folder, cache=tmp_path / "cache")
    again = fresh.run(*options(workshop, animal), "--out", str(tmp_path / "out"))
    assert tried(again.json) == tried(report)
    assert kept(fresh) == kept(workshop)


def test_a_model_that_answers_by_chance_is_refused(tmp_path: Path) -> None:
    """No score of it, or of any variant, says what the next run gives."""
    by_chance(tmp_path)
    done = Workshop(folder=tmp_path, cache=tmp_path / "cache").run()
    assert done.code == 2
    assert "the same row is answered" in done.json["error"]["message"]
    assert "in two runs" in done.json["error"]["message"]


def kept(workshop: Workshop) -> set[str]:
    """The digests of everything that was built."""
    return {path.name for path in (workshop.cache / "compress" / "models").rglob("*.*")}


def tried(report: Any) -> set[str]:
    rows = [*report["pareto"], *report["rejected"], *report["dominated"]]
    return {str(row["recipe"]) for row in rows}
