"""Real LiteRT files: read to the last digit, and written in 8 bits that hold the floor."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

pytest.importorskip("ai_edge_litert", reason="the extra litert is not installed")
pytest.importorskip("ai_edge_quantizer", reason="the extra litert is not installed")

from shoal.compressor.litert.choices import Keep
from shoal.compressor.passes.graph import Clean
from shoal.compressor.passes.protocol import PassContext
from shoal.compressor.passes.tflite import KeepTflite, QuantizeTflite
from shoal.compressor.sources import litert
from shoal.compressor.sources.origin import Origin, OriginFormat
from shoal.engines import litert as engine
from tests.compress.workshop import Array, Workshop

FLOOR = 0.9050


@pytest.fixture
def keyword_spotting(test_models: Path, tmp_path: Path) -> Workshop:
    """The folder of a run whose rows go by the alias `x`, since the two files differ in names."""
    folder = test_models / "keyword_spotting"
    for name in ("model.tflite", "model.onnx", "reference_int8.tflite"):
        (tmp_path / name).symlink_to(folder / name)
    with np.load(folder / "evaluation.npz") as rows:
        np.savez(tmp_path / "evaluation.npz", x=rows["input"], y=rows["y"])
        judged = {row.tobytes() for row in rows["input"]}
    with np.load(folder / "calibration.npz") as rows:
        kept = np.stack([row for row in rows["input"] if row.tobytes() not in judged])
    np.savez(tmp_path / "calibration.npz", x=kept)
    return Workshop(folder=tmp_path, cache=tmp_path / "cache")


@pytest.mark.parametrize(("name", "apart"), [("model", 2e-6), ("reference_int8", 1 / 256)])
def test_a_file_answers_in_onnxruntime_as_in_litert(
    keyword_spotting: Workshop, name: str, apart: float
) -> None:
    converter = litert.open_origin(_origin(keyword_spotting.folder / f"{name}.tflite"))
    model = converter.convert()
    session = onnxruntime.InferenceSession(model.SerializeToString())
    feed = {session.get_inputs()[0].name: _rows(keyword_spotting, "evaluation")["x"][:200]}
    (theirs,) = converter.answers(feed).values()
    (ours,) = session.run(None, feed)
    assert np.abs(ours - theirs).max() <= apart


@pytest.mark.parametrize("name", ["model.onnx", "model.tflite"])
def test_eight_bits_with_thin_layers_in_float_hold_the_floor(
    keyword_spotting: Workshop, name: str
) -> None:
    path = keyword_spotting.folder / name
    model = (
        litert.open_origin(_origin(path)).convert() if path.suffix == ".tflite" else onnx.load(path)
    )
    context = _context(keyword_spotting, model)
    cleaned = Clean().apply(model, context).model
    result = QuantizeTflite(keep=Keep.THIN).apply(cleaned, context)
    assert len(result.artifact.data) <= 34_000
    made = keyword_spotting.folder / "made.tflite"
    made.write_bytes(result.artifact.data)
    assert _top1(made, keyword_spotting) >= FLOOR


def test_the_authors_own_integers_miss_it_and_lose_names_only(keyword_spotting: Workshop) -> None:
    path = keyword_spotting.folder / "reference_int8.tflite"
    model = litert.open_origin(_origin(path)).convert()
    result = KeepTflite().apply(model, _context(keyword_spotting, model, _origin(path)))
    assert len(result.artifact.data) < 0.65 * path.stat().st_size
    made = keyword_spotting.folder / "made.tflite"
    made.write_bytes(result.artifact.data)
    assert _top1(made, keyword_spotting) == _top1(path, keyword_spotting) < FLOOR


def test_a_lite_file_is_a_source_like_any_other(keyword_spotting: Workshop) -> None:
    ran = keyword_spotting.run("--methods", "quantize", model="model.tflite")
    assert ran.code == 0, ran.err
    assert ran.json["source"]["score"] == pytest.approx(0.9150, abs=0.0013)
    assert ran.json["chosen"]["score"] >= FLOOR


def test_a_damaged_lite_file_is_refused_in_a_sentence(keyword_spotting: Workshop) -> None:
    data = (keyword_spotting.folder / "model.tflite").read_bytes()
    (keyword_spotting.folder / "half.tflite").write_bytes(data[: len(data) // 2])
    ran = keyword_spotting.run(model="half.tflite")
    assert ran.code == 2
    assert ran.json["error"]["reason"] == "TruncatedModel"
    assert "Traceback" not in ran.err


def _origin(path: Path) -> Origin:
    return Origin(format=OriginFormat.TFLITE, location=str(path))


def _rows(workshop: Workshop, name: str) -> dict[str, Array]:
    with np.load(workshop.folder / f"{name}.npz") as rows:
        return dict(rows)


def _context(
    workshop: Workshop, model: onnx.ModelProto, origin: Origin | None = None
) -> PassContext:
    name = model.graph.input[0].name
    return PassContext(
        calibration={name: _rows(workshop, "calibration")["x"]},
        train=None,
        source=model,
        output=model.graph.output[0].name,
        seed=0,
        origin=origin,
    )


def _top1(path: Path, workshop: Workshop) -> float:
    runner = engine.open_tflite(path, 1)
    rows = _rows(workshop, "evaluation")
    (port,) = runner.inputs
    found = [runner.run(None, {port.name: row[None]})[0].argmax() for row in rows["x"]]
    return float((np.array(found) == rows["y"]).mean())
