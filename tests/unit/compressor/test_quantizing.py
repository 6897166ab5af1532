"""The plan of quantizations, as a table of networks and machines."""

import pytest

from shoal.compressor.analyse.facts import Facts
from shoal.compressor.analyse.sensitivity import Layer
from shoal.compressor.evaluate.environment import Machine
from shoal.compressor.passes.protocol import Effort
from shoal.compressor.passes.quantize import Integers, StaticInt8
from shoal.compressor.passes.quantize_half import Half
from shoal.compressor.passes.quantize_mixed import Mixed
from shoal.compressor.passes.quantize_rows import EmbeddingRows
from shoal.compressor.search import quantizing
from shoal.compressor.search.plan import Situation

VNNI = Machine(arch="x86_64", cpu="a processor", isa=("avx512_vnni",), versions=())


def a_situation(machine: Machine = VNNI, effort: Effort = Effort.BALANCED) -> Situation:
    return Situation(machine=machine, effort=effort, classifies=True)


def facts(operators: dict[str, int], **read: int) -> Facts:
    return Facts(
        operators=tuple(sorted(operators.items())),
        nodes=sum(operators.values()),
        float_bytes=sum(read.values()),
        convolution_bytes=read.get("convolution", 0),
        dense_bytes=read.get("dense", 0),
        recurrent_bytes=read.get("recurrent", 0),
        table_bytes=read.get("table", 0),
        quantized="QLinearConv" in operators,
    )


def layers(*decibels: float, operator: str = "MatMul") -> tuple[Layer, ...]:
    return tuple(
        Layer(name=f"l{i}", title=f"layer {i}", operator=operator, weights=64, sqnr_db=one)
        for i, one in enumerate(decibels)
    )


CONVOLUTIONS = facts({"Conv": 3, "Relu": 2}, convolution=40_000)
TRANSFORMER = facts(
    {"MatMul": 12, "Softmax": 2, "LayerNormalization": 4, "Gather": 1}, dense=900, table=800
)


@pytest.mark.parametrize(
    ("machine", "integers", "reduced"),
    [
        (VNNI, Integers.U8S8, False),
        (Machine(arch="x86_64", cpu="", isa=("avx2",), versions=()), Integers.U8S8, True),
        (Machine(arch="aarch64", cpu="", isa=("asimddp",), versions=()), Integers.S8S8, False),
    ],
)
def test_every_static_rung_follows_the_instruction_set(
    machine: Machine, integers: Integers, *, reduced: bool
) -> None:
    found = quantizing.ladders(CONVOLUTIONS, layers(10, 30), a_situation(machine))
    rungs = [one for ladder in found for one in ladder if isinstance(one, StaticInt8)]
    assert rungs
    exact = {(Integers.U8U8, False)} if reduced else set()  # beside it, where signed sums saturate
    assert {(one.integers, one.reduce_range) for one in rungs} == {(integers, reduced)} | exact


def test_convolutions_narrow_and_then_leave_the_worst_layers_out() -> None:
    ladder, *_ = quantizing.ladders(
        CONVOLUTIONS, layers(5, 20, 30, operator="Conv"), a_situation(effort=Effort.QUICK)
    )
    rungs = [one for one in ladder if isinstance(one, StaticInt8)]
    assert (rungs[0].per_channel, rungs[0].operators, rungs[0].exclude) == (True, (), ())
    assert next(one.exclude for one in rungs if one.exclude) == ("l0",)
    assert all(one.operators for one in rungs if one.exclude)
    assert len(set(rungs)) == len(rungs)


def test_convolutions_are_never_dynamic() -> None:
    for ladder in quantizing.ladders(CONVOLUTIONS, layers(5), a_situation()):
        assert not any(isinstance(one, Mixed) for one in ladder)


def test_a_transformer_moves_its_noisiest_layers_into_blocks() -> None:
    ladder, *_ = quantizing.ladders(TRANSFORMER, layers(20, 23, 30), a_situation())
    rungs = [one for one in ladder if isinstance(one, Mixed)]
    assert all(one.smooth and one.table_bits == 8 for one in rungs)
    assert rungs[0].blocks8 == ()
    assert rungs[1].blocks8 == ("l0",)  # 0.01 + 0.005 + 0.001, of which 0.006 may be left
    assert [len(one.blocks8) for one in rungs] == sorted({len(one.blocks8) for one in rungs})


@pytest.mark.parametrize(
    "nothing",
    [
        facts({"TreeEnsembleClassifier": 1}),
        facts({"Relu": 1}),
        facts({"QLinearConv": 2, "QuantizeLinear": 1}, convolution=40_000),
    ],
)
def test_what_has_no_float_weights_has_no_ladder(nothing: Facts) -> None:
    assert quantizing.ladders(nothing, (), a_situation()) == ()


def test_more_effort_looks_at_more() -> None:
    counts = [
        sum(
            len(ladder)
            for ladder in quantizing.ladders(
                CONVOLUTIONS, layers(*range(5, 20), operator="Conv"), a_situation(effort=effort)
            )
        )
        for effort in Effort
    ]
    assert counts == sorted(set(counts))


def test_a_profile_decides_which_precisions_are_tried() -> None:
    def methods(*precisions: str) -> set[str]:
        found = quantizing.ladders(TRANSFORMER, layers(20, 23, 30), a_situation(), precisions)
        return {
            "int4" if isinstance(one, Mixed) and quantizing._in_four_bits(one) else one.scheme
            for ladder in found
            for one in ladder
            if isinstance(one, Mixed | Half | EmbeddingRows)
        }

    assert methods("fp32", "int8") == {"mixed", "rows"}
    assert methods("fp32", "int8", "int4") == {"mixed", "rows", "int4"}
    assert methods("fp16") == {"half"}
    assert methods("fp32") == set()  # so few weights are not worth halving
