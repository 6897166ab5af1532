"""Memory and latency foreseen: the arithmetic, and that real figures lie where it says."""

import numpy as np
import pytest

from shoal.compressor.analyse import (
    baseline,
    latency_model,
    liveness,
    memory_plan,
    operations,
    probes,
    throughput,
    trace,
)
from shoal.compressor.analyse.latency_model import Basis, Model, Rate, Timed
from shoal.compressor.analyse.operations import Operation, Work
from shoal.compressor.target import Target
from shoal.contract import jsonform
from tests.unit.compressor.staging_zoo import ZOO, chain, feeds

MB = 1_000_000


def an_operation(kind: str, operator: str = "QGemm", **counts: int) -> Operation:
    every = ["sums", "weight_bytes", "read_bytes", "activation_bytes", "places"]
    every += ["taps", "gathered"]
    return Operation(operator=operator, kind=kind, **(dict.fromkeys(every, 0) | counts))


def a_work(*found: Operation) -> Work:
    weights = [one.weight_bytes for one in found]
    return Work(
        operations=found,
        nodes=len(found),
        weight_bytes=sum(weights),
        largest_weight_bytes=max(weights),
        live_bytes=0,
    )


def a_rate(kind: str, call_ms: float, spread: float) -> Rate:
    return Rate(kind=kind, costs=(call_ms, 1.0, *[0.0] * 6), spread=spread)


def test_tensors_live_from_their_making_to_their_last_use() -> None:
    model, rows = chain([1, 2, 4])
    flow = liveness.flow(model, trace.trace(model, feeds(model, rows)[0]))
    # x (4 bytes) -> h0 (8) -> y (16): 12 in the first step, 24 in the second
    assert liveness.live_bytes(flow) == (12, 24)


def test_a_subgraph_reads_what_lies_around_it() -> None:
    model, rows = ZOO["recurrent"]()
    flow = liveness.flow(model, trace.trace(model, feeds(model, rows)[0]))
    assert flow.steps[1].reads == ("a", "h", "c")
    assert flow.steps[1].weights == ("w", "r")


def test_packed_copies_count_beside_the_weights() -> None:
    work = a_work(
        an_operation("matmul/int8", weight_bytes=6 * MB),
        an_operation("matmul/int8", weight_bytes=4 * MB),
    )
    plan = memory_plan.plan(work, 10 * MB)
    assert plan.weight_bytes == 10 * MB
    assert plan.copied_bytes == 15 * MB
    assert plan.bytes == memory_plan.predict(work, 10 * MB)
    assert 35 * MB < plan.bytes < 37 * MB


def test_a_session_of_nothing_is_measured_once() -> None:
    first = baseline.session_bytes(1)
    assert 4 * MB < first < 40 * MB
    assert baseline.session_bytes(1) == first


def test_the_runtimes_own_operators_are_counted() -> None:
    model, rows = ZOO["residual_cnn"]()
    work = operations.read(model.SerializeToString(), feeds(model, rows)[0])
    inner = [one for one in work.operations if one.kind == "conv/fp32"]
    assert len(inner) == 6
    assert {one.sums for one in inner} == {48 * 48 * 9 * 64}
    assert [one.kind for one in work.operations].count("thin/fp32") == 1
    model, rows = ZOO["int8_table"]()
    work = operations.read(model.SerializeToString(), feeds(model, rows)[0])
    gather = next(one for one in work.operations if one.weight_bytes == 4_000 * 64)
    assert gather.read_bytes == 0


def test_errors_of_one_kind_add_up_and_those_of_two_do_not() -> None:
    rates = (a_rate("a/fp32", 3.0, 0.1), a_rate("b/fp32", 4.0, 0.2))
    model = Model(session_ms=0.0, rates=rates, cache_bytes=MB, alike=0.0)
    found = model.predict(a_work(an_operation("a/fp32"), an_operation("b/fp32")))
    assert found.ms == pytest.approx(7.0)
    assert found.high_ms == pytest.approx(7 + 1.645 * np.sqrt(0.3**2 + 0.8**2))
    assert found.basis is Basis.PROBED


def test_a_timed_model_moves_the_rest() -> None:
    model = Model(session_ms=0.0, rates=(a_rate("simple/fp32", 2.0, 0.1),), cache_bytes=MB)
    one, two = a_work(an_operation("simple/fp32")), a_work(*2 * [an_operation("other/fp32")])
    moved = model.moved(one, 3.0)
    assert moved.predict(one).ms == pytest.approx(3.0)
    assert moved.predict(two).ms == pytest.approx(6.0)
    assert moved.predict(two).basis is Basis.MEASURED
    strange, known = moved.predict(two), moved.predict(one)
    assert strange.high_ms / strange.ms > known.high_ms / known.ms


def test_costs_are_found_again_in_the_times_they_made() -> None:
    random = np.random.default_rng(0)
    timed = []
    for _ in range(60):
        sums, read = (int(value) for value in random.integers(MB, 50 * MB, 2))
        operation = an_operation("matmul/fp32", sums=sums, weight_bytes=read, read_bytes=read)
        ms = 0.01 + 0.02 + 0.05 * sums / MB + 0.1 * read / MB
        timed.append(Timed(work=a_work(operation), ms=ms))
    model = latency_model.fitted(timed, cache_bytes=100 * MB)
    (rate,) = model.rates
    assert rate.costs[1] == pytest.approx(0.05, rel=0.02)
    assert rate.costs[2] == pytest.approx(0.1, rel=0.02)
    assert latency_model.to_model(jsonform.to_json(model)) == model


def test_every_probe_runs() -> None:
    kinds = set()
    for probe in probes.all_probes():
        if sum(array.size for array in probe.feed.values()) < 2_000:
            kinds |= {one.kind for one in operations.read(probe.model, probe.feed).operations}
    assert {"conv/int8", "depthwise/int8", "matmul/int8", "dynamic/int8", "blocks/int4"} <= kinds


@pytest.mark.parametrize(
    ("arch", "isa", "gain"),
    [
        ("x86_64", ("avx2",), 1 + 0.6 * (21 / 16 - 1)),
        ("x86_64", ("avx2", "avx512_vnni", "avx512f"), 2.8),
        ("aarch64", (), 1.0),
        ("aarch64", ("asimddp",), 2.8),
        ("aarch64", ("asimddp", "i8mm"), 5.2),
        ("riscv64", (), 1.0),
    ],
)
def test_integers_gain_what_the_instructions_give(
    arch: str, isa: tuple[str, ...], gain: float
) -> None:
    assert throughput.lanes(Target(arch=arch, isa=isa)).gain == pytest.approx(gain)


def test_another_machines_latency_is_marked_and_unsure() -> None:
    rates = (a_rate("conv/fp32", 0.0, 0.1), a_rate("conv/int8", 0.0, 0.1))
    here = Target(arch="x86_64", isa=("avx2", "avx512_vnni", "avx512f"))
    there = Target(arch="aarch64", isa=("asimddp",))
    model = Model(session_ms=0.0, rates=rates, cache_bytes=MB)
    elsewhere = throughput.elsewhere(model, here, there)
    in_float = elsewhere.predict(a_work(an_operation("conv/fp32", sums=MB)))
    in_int8 = elsewhere.predict(a_work(an_operation("conv/int8", sums=MB)))
    assert in_float.ms == pytest.approx(4.0)  # 32 lanes against 8
    assert in_int8.ms == pytest.approx(4.0)  # and the same gain of integers over float
    assert in_float.basis is Basis.TABLE
    assert in_float.high_ms > 1.9 * in_float.ms
