"""The plan as a table, the cache and the latency harness."""

from pathlib import Path

from shoal.compressor.evaluate import latency
from shoal.compressor.evaluate.environment import this_machine
from shoal.compressor.evaluate.latency import Rounds
from shoal.compressor.passes.protocol import Effort
from shoal.compressor.search import plan
from shoal.compressor.search.cache import Cache


def test_more_effort_pays_for_more_and_looks_closer() -> None:
    allowances = [plan.ALLOWANCES[effort] for effort in Effort]
    assert [a.training_s for a in allowances] == sorted({a.training_s for a in allowances})
    assert [a.steps for a in allowances] == sorted({a.steps for a in allowances})
    assert [-a.grain for a in allowances] == sorted({-a.grain for a in allowances})
    assert all(a.least_steps < a.steps for a in allowances)


def test_the_cache_makes_each_entry_once(tmp_path: Path) -> None:
    made = []

    def make() -> dict[str, int]:
        made.append(1)
        return {"value": 3}

    for _ in range(2):
        assert Cache(tmp_path).entry({"b": 1, "a": [2]}, make) == {"value": 3}
    assert Cache(tmp_path).get({"a": [2], "b": 2}) is None
    assert len(made) == 1


def test_a_damaged_entry_or_model_counts_as_absent(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.put("cause", {"value": 1})
    (entry,) = (tmp_path / "entries").iterdir()
    entry.write_text("{")
    assert cache.get("cause") is None
    name = cache.keep_model(b"weights")
    assert cache.has_model(name)
    cache.model_path(name).write_bytes(b"other")
    assert not cache.has_model(name)
    assert cache.keep_model(b"weights") == name
    assert cache.has_model(name)


def test_both_sides_run_in_every_round_and_take_turns_at_the_start() -> None:
    calls: list[str] = []
    rounds = Rounds(least=4, most=4, seconds=0.0)
    found = latency.ratio(lambda: calls.append("new"), lambda: calls.append("old"), rounds)
    assert found.p50 > 0
    blocks = [name for i, name in enumerate(calls) if i == 0 or calls[i - 1] != name]
    # the warm-up, then rounds that start with old, new, old, new: equal neighbours join
    assert blocks == ["new", "old", "new", "old", "new", "old"]


def test_measuring_ends_when_time_or_rounds_are_spent() -> None:
    counted: list[int] = []
    latency.single(lambda: counted.append(1), Rounds(least=2, most=5, seconds=0.0))
    assert 2 + 2 * 4 <= len(counted) <= 10 + 2 * 72


def test_this_machine_names_itself() -> None:
    machine = this_machine()
    assert machine.cpu
    assert machine.isa == tuple(sorted(machine.isa))
    assert dict(machine.versions)["onnxruntime"]
