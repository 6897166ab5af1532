"""What the fusion gate says of graphs as the runtime would leave them."""

import onnx
import pytest
from onnx import TensorProto, helper

from shoal.compressor.search import gates


def a_chain(*operators: str) -> onnx.ModelProto:
    """`operators` in a row, each with the inputs that it needs; only their order matters here."""
    extra = {"QuantizeLinear": ["s"], "DequantizeLinear": ["s"], "Clip": ["s", "s"]}
    nodes = [
        helper.make_node(operator, [f"v{i}", *extra.get(operator, [])], [f"v{i + 1}"])
        for i, operator in enumerate(operators)
    ]
    last = f"v{len(operators)}"
    graph = helper.make_graph(
        nodes,
        "chain",
        [helper.make_tensor_value_info("v0", TensorProto.FLOAT, ["N", 4])],
        [helper.make_tensor_value_info(last, TensorProto.FLOAT, ["N", 4])],
    )
    return helper.make_model(graph)


@pytest.mark.parametrize("bound", ["Clip", "Relu"])
def test_bounds_in_float_between_integers_are_stranded(bound: str) -> None:
    chain = a_chain("QuantizeLinear", "DequantizeLinear", bound, "QuantizeLinear")
    assert gates.unfused(chain) == (f"{bound} between integers",)


@pytest.mark.parametrize(
    "operators",
    [
        ("DequantizeLinear", "Clip"),
        ("DequantizeLinear", "Clip", "Softmax", "QuantizeLinear"),
        ("Relu", "QuantizeLinear"),
        ("DequantizeLinear", "Softmax", "QuantizeLinear"),
    ],
)
def test_floats_at_the_edge_or_on_purpose_are_not(operators: tuple[str, ...]) -> None:
    assert gates.unfused(a_chain(*operators)) == ()
