"""The plan as a table, the cache and the latency harness."""

from pathlib import Path

import pytest

from shoal.compressor.evaluate import latency
from shoal.compressor.evaluate.environment import Machine, this_machine
from shoal.compressor.evaluate.latency import Rounds
from shoal.compressor.passes.protocol import Effort
from shoal.compressor.passes.prune import Prune
from shoal.compressor.passes.quantize import Integers
from shoal.compressor.search import plan
from shoal.compressor.search.cache import Cache
from shoal.compressor.search.plan import Situation


def a_machine(arch: str, *isa: str) -> Machine:
    return Machine(arch=arch, cpu="a processor", isa=isa, versions=())


def a_situation(effort: Effort, *, classifies: bool = True) -> Situation:
    return Situation(
        machine=a_machine("x86_64", "avx512_vnni"), effort=effort, classifies=classifies
    )


@pytest.mark.parametrize(
    ("machine", "integers", "reduced"),
    [
        (a_machine("x86_64", "avx2", "avx512_vnni"), Integers.U8S8, False),
        (a_machine("x86_64", "avx2"), Integers.U8S8, True),
        (a_machine("aarch64", "asimddp"), Integers.S8S8, False),
    ],
)
def test_integers_follow_the_instruction_set(
    machine: Machine, integers: Integers, *, reduced: bool
) -> None:
    for config in plan.static_ladder(machine):
        assert (config.integers, config.reduce_range) == (integers, reduced)


def test_the_ladder_narrows() -> None:
    ladder = plan.static_ladder(a_machine("x86_64", "avx512_vnni"))
    assert ladder[0].per_channel
    assert not ladder[0].operators
    assert not ladder[-1].per_channel
    assert ladder[-1].operators == ("Conv", "MatMul", "Gemm")
    assert len(set(ladder)) == len(ladder)


def test_more_effort_looks_at_more() -> None:
    counts = [len(plan.prunings(a_situation(effort))) for effort in Effort]
    assert counts == sorted(set(counts))
    quick = plan.prunings(a_situation(Effort.QUICK))
    ratios = [one.ratio for one in quick if isinstance(one, Prune)]
    assert ratios == [0.3, 0.5, 0.7]


def test_distilling_alone_takes_over_the_ladder_of_sizes() -> None:
    situation = a_situation(Effort.QUICK)
    beside = plan.distillings(situation, beside_pruning=True)
    alone = plan.distillings(situation, beside_pruning=False)
    assert (len(beside), len(alone)) == (1, 3)


def test_embeddings_are_matched_as_they_are() -> None:
    (first, *_) = plan.prunings(a_situation(Effort.QUICK, classifies=False))
    assert isinstance(first, Prune)
    assert first.temperature is None


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
