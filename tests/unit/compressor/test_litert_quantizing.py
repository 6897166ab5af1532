"""Passes that end in a LiteRT file: float, 8 bits, integers from edge to edge, kept as given."""

import stat
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("ai_edge_litert", reason="the extra litert is not installed")
pytest.importorskip("ai_edge_quantizer", reason="the extra litert is not installed")

from ai_edge_litert import schema_py_generated as schema

from shoal.compressor.artifacts import Format
from shoal.compressor.litert import edgetpu, flatfile, ranges
from shoal.compressor.litert.choices import Keep, Ranges, Scheme
from shoal.compressor.passes.protocol import Finished, PassError
from shoal.compressor.passes.tflite import KeepTflite, QuantizeTflite, ToTflite
from shoal.compressor.passes.tflite_integer import Chip, IntegerTflite
from shoal.compressor.rejections import Rejection
from shoal.compressor.sources.origin import Origin, OriginFormat
from shoal.engines import litert
from tests.unit.compressor import lite_graphs
from tests.unit.compressor.networks import a_graph, node

MODEL = lite_graphs.a_speech_net()
CONTEXT = lite_graphs.a_context(MODEL)


def opened(result: Finished, folder: Path) -> litert.LiteRunner:
    path = folder / "model.tflite"
    path.write_bytes(result.artifact.data)
    return litert.open_tflite(path, 1)


def furthest(result: Finished, folder: Path) -> float:
    runner = opened(result, folder)
    return max(
        float(np.abs(runner.run(["classes"], {"sound": row[None]})[0] - wanted).max())
        for row, wanted in zip(
            lite_graphs.sounds(),
            lite_graphs.answers(MODEL, {"sound": lite_graphs.sounds()})[0],
            strict=True,
        )
    )


def test_a_float_file_answers_as_the_graph(tmp_path: Path) -> None:
    result = ToTflite().apply(MODEL, CONTEXT)
    assert result.artifact.format is Format.TFLITE
    assert result.notes["max_abs"] < 1e-6
    assert furthest(result, tmp_path) < 1e-6


@pytest.mark.parametrize("scheme", list(Scheme))
def test_eight_bits_are_a_quarter_and_close(scheme: Scheme, tmp_path: Path) -> None:
    config = QuantizeTflite(numbers=scheme)
    result = config.apply(MODEL, CONTEXT)
    whole = ToTflite().apply(MODEL, CONTEXT)
    assert len(result.artifact.data) < 0.6 * len(whole.artifact.data)
    assert furthest(result, tmp_path) < 0.05
    assert config.apply(MODEL, CONTEXT) == result  # the same bytes again


def test_what_is_kept_computes_in_float_from_weights_of_eight_bits(tmp_path: Path) -> None:
    result = QuantizeTflite(keep=Keep.THIN, exclude=("g",)).apply(MODEL, CONTEXT)
    assert result.notes["kept_float"] == ["c0", "c1", "g"]
    operators = result.notes["operators"]
    assert operators["CONV_2D float32"] == 1
    assert operators["CONV_2D int8"] == 1
    assert operators["DEPTHWISE_CONV_2D float32"] == 1
    assert operators["FULLY_CONNECTED float32"] == 1
    plain = QuantizeTflite().apply(MODEL, CONTEXT)
    assert len(result.artifact.data) < 1.2 * len(plain.artifact.data)
    assert furthest(result, tmp_path) < 0.05


def test_operators_of_eight_bits_carry_the_version_that_old_interpreters_ask_for() -> None:
    model = flatfile.unpack(IntegerTflite().apply(MODEL, CONTEXT).artifact.data)
    found = {code.builtinCode: code.version for code in model.operatorCodes}
    assert found[schema.BuiltinOperator.CONV_2D] == 3
    assert found[schema.BuiltinOperator.FULLY_CONNECTED] == 4


def test_integers_reach_from_edge_to_edge_and_are_float_outside(tmp_path: Path) -> None:
    result = IntegerTflite().apply(MODEL, CONTEXT)
    graph = flatfile.unpack(result.artifact.data).subgraphs[0]
    edges = [graph.tensors[one].type for one in (*graph.inputs, *graph.outputs)]
    assert edges == [schema.TensorType.INT8] * 2
    assert result.notes["in_float"] == []
    (answer,) = opened(result, tmp_path).run(None, {"sound": lite_graphs.sounds(1)})
    assert answer.dtype == np.float32
    assert furthest(result, tmp_path) < 0.05


def test_a_row_of_another_shape_is_refused(tmp_path: Path) -> None:
    for config in (ToTflite(), IntegerTflite()):
        runner = opened(config.apply(MODEL, CONTEXT), tmp_path)
        with pytest.raises(ValueError, match=r"(?i)sound|dimension"):
            runner.run(None, {"sound": lite_graphs.sounds(2)})


def test_the_chip_s_report_names_what_falls_to_the_cpu() -> None:
    notes = IntegerTflite(chip=Chip.EDGE_TPU).apply(MODEL, CONTEXT).notes
    assert notes["edgetpu"]["on_cpu"] == []
    assert notes["edgetpu"]["on_chip"] == notes["edgetpu"]["operators"]
    graph = a_graph([node("LeakyRelu", alpha=0.1)], {}, (1, 16, 8))
    context = lite_graphs.a_context(graph)
    report = IntegerTflite(chip=Chip.EDGE_TPU).apply(graph, context).notes["edgetpu"]
    told = {one["operator"]: one["why"] for one in report["on_cpu"]}
    assert told["LEAKY_RELU"] == "the chip has no such operator"
    assert "comes after" in list(told.values())[-1]


def test_a_compiler_on_path_compiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert edgetpu.compile_file(b"any") is None
    _install(tmp_path, 'printf compiled > "$3/model_edgetpu.tflite"', monkeypatch)
    assert edgetpu.compile_file(b"any") == b"compiled"


def test_a_compiler_that_refuses_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _install(tmp_path, "echo Invalid model >&2; exit 3", monkeypatch)
    with pytest.raises(edgetpu.CompilerError, match="status 3: Invalid model"):
        edgetpu.compile_file(b"any")


def test_a_file_is_kept_as_given_without_what_nobody_reads(tmp_path: Path) -> None:
    model = flatfile.unpack(IntegerTflite().apply(MODEL, CONTEXT).artifact.data)
    model.description = "x" * 4_000
    given = tmp_path / "given.tflite"
    given.write_bytes(flatfile.pack(model))
    origin = Origin(format=OriginFormat.TFLITE, location=str(given))
    result = KeepTflite().apply(MODEL, lite_graphs.a_context(MODEL, origin))
    assert result.notes["slimmed"] is True
    assert len(result.artifact.data) <= given.stat().st_size - 4_000
    with pytest.raises(PassError, match=r"no \.tflite"):
        KeepTflite().apply(MODEL, CONTEXT)


def test_a_file_that_does_not_load_is_told(tmp_path: Path) -> None:
    given = tmp_path / "given.tflite"
    broken = bytearray(ToTflite().apply(MODEL, CONTEXT).artifact.data)
    model = flatfile.unpack(bytes(broken))
    model.subgraphs[0].operators[1].inputs = np.array([0, 0, 0], np.int32)
    given.write_bytes(flatfile.pack(model))
    origin = Origin(format=OriginFormat.TFLITE, location=str(given))
    with pytest.raises(PassError) as caught:
        KeepTflite().apply(MODEL, lite_graphs.a_context(MODEL, origin))
    assert caught.value.reason is Rejection.RUNTIME_FAILED


def test_ranges_follow_their_rule() -> None:
    high = np.array([1.0, 1.0, 1.0, 5.0])
    found = ranges.Extremes(low={"t": high * 0 - 1}, high={"t": high})
    assert found.ranges(Ranges.MINMAX) == {"t": (-1.0, 5.0)}
    assert found.ranges(Ranges.MEAN) == {"t": (-1.0, 2.0)}
    assert found.ranges(Ranges.QUANTILE)["t"] == pytest.approx((-1.0, 4.4))


def _install(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program = folder / edgetpu.COMPILER
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
