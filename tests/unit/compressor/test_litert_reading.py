"""Read as ONNX, a LiteRT file answers as in LiteRT; what cannot be read is refused in words."""

from pathlib import Path

import numpy as np
import onnx
import pytest

pytest.importorskip("ai_edge_litert", reason="the extra litert is not installed")
pytest.importorskip("ai_edge_quantizer", reason="the extra litert is not installed")

from ai_edge_litert import schema_py_generated as schema
from onnx import numpy_helper

from shoal.compressor.litert import flatfile, writing
from shoal.compressor.litert.choices import Keep, Scheme
from shoal.compressor.passes.graph import Clean
from shoal.compressor.passes.protocol import Pass
from shoal.compressor.passes.tflite import QuantizeTflite, ToTflite
from shoal.compressor.passes.tflite_integer import IntegerTflite
from shoal.compressor.sources import likeness, litert
from shoal.compressor.sources.origin import Origin, OriginFormat
from shoal.contract.problem import InvalidError
from shoal.contract.reason import Reason
from tests.unit.compressor import lite_graphs
from tests.unit.compressor.networks import a_graph, node, operators, random
from tests.unit.compressor.test_litert_writing import CASES

MODEL = lite_graphs.a_speech_net()


def opened(data: bytes, folder: Path) -> litert.LiteConverter:
    path = folder / "given.tflite"
    path.write_bytes(data)
    return litert.open_origin(Origin(format=OriginFormat.TFLITE, location=str(path)))


def made(config: Pass) -> bytes:
    result = config.apply(MODEL, lite_graphs.a_context(MODEL))
    return result.artifact.data  # type: ignore[union-attr]


@pytest.mark.parametrize("name", CASES)
def test_an_operator_comes_back(name: str, tmp_path: Path) -> None:
    operator, constants, shape = CASES[name]
    model = a_graph([operator], constants, shape)
    back = opened(writing.write(model, {}).data, tmp_path).convert()
    onnx.checker.check_model(back)
    x = random(1, *shape)
    rows = x if _is_closed(back) else np.concatenate([x, x + 1])
    found, wanted = (lite_graphs.answers(one, {"x": rows})[0] for one in (back, model))
    np.testing.assert_allclose(found, wanted, atol=2e-5)


@pytest.mark.parametrize(
    "config",
    [
        *(ToTflite(), IntegerTflite(), QuantizeTflite(numbers=Scheme.WEIGHTS)),
        *(QuantizeTflite(), QuantizeTflite(keep=Keep.THIN)),
    ],
    ids=["float", "integers", "weights", "static", "thin"],
)
def test_parity_holds_for_rows_and_batches(config: Pass, tmp_path: Path) -> None:
    converter = opened(made(config), tmp_path)
    np.savez(tmp_path / "rows.npz", sound=lite_graphs.sounds())
    notes = likeness.prove(converter, converter.convert(), tmp_path / "rows.npz")
    assert (notes["rows"], notes["batch"]) == (16, 8)


def test_a_cleaned_graph_has_no_transposes_left(tmp_path: Path) -> None:
    back = opened(made(ToTflite()), tmp_path).convert()
    cleaned = Clean().apply(back, lite_graphs.a_context(back)).model
    assert operators(cleaned).count("Transpose") <= 1  # before the flattening, as the file has it
    assert operators(cleaned).count("Conv") == 3


def test_the_first_layer_that_differs_is_named(tmp_path: Path) -> None:
    converter = opened(made(ToTflite()), tmp_path)
    model = converter.convert()
    thin = next(t for t in model.graph.initializer if list(t.dims) == [16, 1, 3, 3])
    thin.CopyFrom(numpy_helper.from_array(-numpy_helper.to_array(thin), thin.name))
    np.savez(tmp_path / "rows.npz", sound=lite_graphs.sounds())
    with pytest.raises(InvalidError, match="first layer to differ is DEPTHWISE_CONV_2D") as caught:
        likeness.prove(converter, model, tmp_path / "rows.npz")
    assert caught.value.problem.reason == Reason.PARITY_FAILED


def test_an_operator_without_a_form_is_refused_by_name(tmp_path: Path) -> None:
    model = flatfile.unpack(writing.write(a_graph([node("Tanh")], {}, (7,)), {}).data)
    model.operatorCodes[0].builtinCode = schema.BuiltinOperator.SIN
    model.operatorCodes[0].deprecatedBuiltinCode = schema.BuiltinOperator.SIN
    with pytest.raises(InvalidError, match="for SIN") as caught:
        opened(flatfile.pack(model), tmp_path).convert()
    assert caught.value.problem.reason == Reason.CONVERSION_FAILED


def test_another_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match="not a LiteRT model"):
        opened(MODEL.SerializeToString(), tmp_path)


def test_truncated_and_garbled_files_end_in_a_sentence(tmp_path: Path) -> None:
    data = made(QuantizeTflite())
    random_bytes = np.random.default_rng(0)
    hints = set()
    for attempt in range(60):
        hurt = bytearray(data[: random_bytes.integers(8, len(data))] if attempt % 2 else data)
        for _ in range(attempt % 7):
            hurt[random_bytes.integers(len(hurt))] = random_bytes.integers(256)
        try:
            opened(bytes(hurt), tmp_path).convert()
        except InvalidError as error:
            hints.add(error.problem.hint)
    assert hints
    assert all(hints)


def test_parts_that_do_not_fit_end_in_a_sentence(tmp_path: Path) -> None:
    model = flatfile.unpack(made(ToTflite()))
    model.subgraphs[0].operators[1].inputs = np.array([0, 0, 0], np.int32)
    with pytest.raises(InvalidError, match=r"CONV_2D|stored"):
        opened(flatfile.pack(model), tmp_path).convert()


def _is_closed(model: onnx.ModelProto) -> bool:
    return not model.graph.input[0].type.tensor_type.shape.dim[0].dim_param
