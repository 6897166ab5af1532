"""Which ways of narrowing a run tries."""

import pytest
from onnx import helper

from shoal.compressor.network.cut import Importance, Scope
from shoal.compressor.passes.protocol import Effort, PassContext
from shoal.compressor.passes.prune import Prune
from shoal.compressor.search import narrower
from shoal.compressor.search.narrower import Terms
from shoal.compressor.search.proposals import Kind, Setting, Way
from tests.unit.compressor.networks import a_graph, random

EVERYTHING = Terms(prune=True, distill=True, float32=True, seed=0)
BY_SENSITIVITY = Way(kind=Kind.PRUNE, scope=Scope.SENSITIVITY, importance=Importance.TAYLOR)


def test_a_thorough_run_tries_every_scope_and_importance_after_what_others_try() -> None:
    usual = narrower.ways(EVERYTHING, Effort.BALANCED)
    thorough = narrower.ways(EVERYTHING, Effort.THOROUGH)
    assert thorough[: len(usual) - 1] == usual[:-1]
    assert {way.scope for way in thorough} == set(Scope)
    assert {way.importance for way in thorough} == set(Importance)
    assert usual[-1].kind is thorough[-1].kind is Kind.DISTILL


def test_what_is_not_asked_for_is_not_tried() -> None:
    distilling = Terms(prune=False, distill=True, float32=True, seed=0)
    ways = narrower.ways(distilling, Effort.THOROUGH)
    assert [way.kind for way in ways] == [Kind.DISTILL]


def test_the_example_of_channels_as_weights() -> None:
    assert narrower.pruned(Setting(way=BY_SENSITIVITY, ratio=0.5)) == 0.75
    assert narrower.pruned(Setting(way=Way(kind=Kind.PRUNE), ratio=0.5)) == 0.5


@pytest.mark.parametrize("way", narrower.ways(EVERYTHING, Effort.THOROUGH)[:-1])
def test_every_way_of_pruning_makes_a_narrower_net(way: Way) -> None:
    nodes = [
        helper.make_node("Gemm", ["x", "w"], ["a"]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Gemm", ["b", "v"], ["y"]),
    ]
    source = a_graph(nodes, {"w": random(12, 16), "v": random(16, 3)}, (12,))
    context = PassContext(
        calibration={"x": random(60, 12)}, train=None, source=source, output="y", seed=0
    )
    ratio = narrower.pruned(Setting(way=way, ratio=0.5))
    prune = Prune(ratio=ratio, scope=way.scope, importance=way.importance, steps=10, multiple=2)
    narrowed = prune.apply(source, context)
    assert narrowed.model.ByteSize() < source.ByteSize()
