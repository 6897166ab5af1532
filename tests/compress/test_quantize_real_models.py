"""Static int8 of real convolutional nets: where the library raises alone, and what is faster."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest

from shoal.compressor.analyse import facts, sensitivity
from shoal.compressor.evaluate import session
from shoal.compressor.passes.compact import compact
from shoal.compressor.passes.graph import Clean
from shoal.compressor.passes.protocol import PassContext
from shoal.compressor.passes.quantize import StaticInt8
from shoal.compressor.passes.quantize_half import Half
from shoal.compressor.search import gates

Array = npt.NDArray[Any]
FOLDER = os.environ.get("SHOAL_TEST_MODELS")
EQUAL_ROWS = {"keyword_spotting": [196]}  # calibration rows that evaluation holds too
BODY = ("Conv", "Relu")

pytestmark = [
    pytest.mark.compress,
    pytest.mark.skipif(not FOLDER, reason="SHOAL_TEST_MODELS names no folder of models"),
]


class Bench:
    """One model of the folder, cleaned, with its rows."""

    def __init__(self, name: str) -> None:
        folder = Path(FOLDER or "") / name
        source = onnx.load(folder / "model.onnx")
        (given,) = (value.name for value in source.graph.input[:1])
        with np.load(folder / "calibration.npz") as rows:
            (calibration,) = (rows[key] for key in rows.files if key != "y")
        with np.load(folder / "evaluation.npz") as rows:
            self.labels = rows["y"]
            (self.rows,) = (rows[key] for key in rows.files if key != "y")
        self.given, self.output = given, source.graph.output[0].name
        self.context = PassContext(
            calibration={given: np.delete(calibration, EQUAL_ROWS.get(name, []), 0)},
            train=None,
            source=source,
            output=self.output,
            seed=0,
        )
        self.cleaned = compact(Clean().apply(source, self.context).model)
        self.rank = len(source.graph.input[0].type.tensor_type.shape.dim)

    def top1(self, model: onnx.ModelProto) -> float:
        opened = session.open_session(compact(model).SerializeToString(), 1)
        right = 0
        for row, label in zip(self.rows, self.labels, strict=True):
            fed = row[None] if row.ndim < self.rank else row
            (answer,) = opened.run([self.output], {self.given: fed})
            right += int(answer.argmax() == label)
        return right / len(self.labels)


def size(model: onnx.ModelProto) -> int:
    return len(compact(model).SerializeToString())


def test_mnist_is_quantized_per_channel_although_its_bias_has_two_axes() -> None:
    bench = Bench("mnist")
    model = StaticInt8().apply(bench.cleaned, bench.context).model
    gates.check(compact(model).SerializeToString(), quantized=True)
    assert size(model) <= 13_000
    assert bench.top1(model) >= bench.top1(bench.cleaned) - 0.005


def test_mnist_in_halves_answers_as_before() -> None:
    bench = Bench("mnist")
    half = Half().apply(bench.cleaned, bench.context).model
    assert size(half) <= 13_000
    assert bench.top1(half) >= bench.top1(bench.cleaned) - 0.001


def test_keywords_fit_forty_kilobytes_and_may_spare_what_int8_slows_down() -> None:
    bench = Bench("keyword_spotting")
    least = bench.top1(bench.cleaned) - 0.01
    whole = StaticInt8().apply(bench.cleaned, bench.context)
    body = StaticInt8(operators=BODY, least_channels=4).apply(bench.cleaned, bench.context)
    for result in (whole, body):
        gates.check(compact(result.model).SerializeToString(), quantized=True)
        assert size(result.model) <= 40_000
        assert bench.top1(result.model) >= least
    assert [len(result.notes["kept_float"]) for result in (whole, body)] == [0, 1]


def test_every_layer_of_a_real_net_is_measured() -> None:
    bench = Bench("keyword_spotting")
    layers = sensitivity.layers(bench.cleaned, bench.context)
    assert len(layers) == facts.read(bench.cleaned).count("Conv", "Gemm")
    assert [layer.sqnr_db for layer in layers] == sorted(layer.sqnr_db for layer in layers)
    assert all(0 < layer.sqnr_db < 120 for layer in layers)
