"""Real networks from elsewhere are imported, written, pruned and distilled."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from shoal.compressor.network import parity
from shoal.compressor.network.node import Array
from shoal.compressor.passes.distill import Distill
from shoal.compressor.passes.protocol import PassContext, TrainRows
from shoal.compressor.passes.prune import Prune

MODELS = ["mnist", "keyword_spotting"]


def rows_of(path: Path) -> dict[str, Array]:
    with np.load(path) as archive:
        return dict(archive)


def accuracy(model: onnx.ModelProto, folder: Path) -> float:
    session = onnxruntime.InferenceSession(model.SerializeToString())
    (port,) = session.get_inputs()
    evaluation = rows_of(folder / "evaluation.npz")
    answers = [
        int(np.argmax(session.run(None, {port.name: row[None]})[0]))
        for row in evaluation[port.name][:500]
    ]
    return float((np.array(answers) == evaluation["y"][:500]).mean())


def a_context(model: onnx.ModelProto, folder: Path) -> PassContext:
    """The rows of the folder; labels where it has them."""
    train = None
    if (folder / "train.npz").is_file():
        rows = rows_of(folder / "train.npz")
        train = TrainRows(inputs={k: v for k, v in rows.items() if k != "y"}, y=rows["y"])
    return PassContext(
        calibration=rows_of(folder / "calibration.npz"),
        train=train,
        source=model,
        output=model.graph.output[0].name,
        seed=0,
    )


@pytest.mark.parametrize("name", MODELS)
def test_a_real_network_survives_the_round_trip(test_models: Path, name: str) -> None:
    model = onnx.load(test_models / name / "model.onnx")
    rows = rows_of(test_models / name / "calibration.npz")
    imported = parity.import_checked(model, rows)
    exported = parity.export_checked(imported.network, rows)
    assert exported.model.ByteSize() <= model.ByteSize()
    assert [port.name for port in exported.model.graph.output] == [
        port.name for port in model.graph.output
    ]
    again = parity.import_checked(exported.model, rows)
    assert again.max_abs_error <= max(imported.max_abs_error * 2, 1e-6)


@pytest.mark.parametrize(
    "config", [Prune(ratio=0.2, steps=100), Distill(width=0.8, steps=100)], ids=lambda p: p.method
)
@pytest.mark.parametrize("name", MODELS)
def test_a_real_network_loses_channels_and_little_else(
    test_models: Path, name: str, config: Prune | Distill
) -> None:
    folder = test_models / name
    model = onnx.load(folder / "model.onnx")
    result = config.apply(model, a_context(model, folder))
    validation = result.notes["validation"]
    assert result.model.ByteSize() < 0.9 * model.ByteSize()
    assert validation["after_fine_tuning"] >= validation["before_fine_tuning"] - 0.03
    assert accuracy(result.model, folder) >= accuracy(model, folder) - 0.1
    assert list(result.model.graph.input) == [
        port for port in model.graph.input if port.name in result.model.graph.input[0].name
    ]
