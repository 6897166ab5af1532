"""Sources and rows for runs of shoal-compress, and the command itself as a process."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

Array = npt.NDArray[Any]
CLASSES = 10
_LOGIT = 12.0  # of the right class: about as sure of itself as a trained network
_RIDGE = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """How a run of the command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document on stdout."""
        return json.loads(self.out)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """A folder with a source and its rows, and a cache of its own."""

    folder: Path
    cache: Path

    def command(self, *options: str, model: str = "source.onnx") -> list[str]:
        """A command line over this folder's files; options of the same name override."""
        lines = {
            "--calibration": str(self.folder / "calibration.npz"),
            "--evaluation": str(self.folder / "evaluation.npz"),
            "--effort": "quick",
            "--out": str(self.folder / "out"),
            "-o": "json",
        }
        flags = list(options)
        for name, value in lines.items():
            if name not in flags:
                flags += [name, value]
        path = Path(model)
        return [
            *(sys.executable, "-m", "shoal.compressor.cli"),
            str(path if path.is_absolute() else self.folder / path),
            *flags,
        ]

    @property
    def environment(self) -> dict[str, str]:
        """The process's environment, with this cache."""
        return {**os.environ, "SHOAL_CACHE_DIR": str(self.cache)}

    def run(self, *options: str, model: str = "source.onnx") -> Ran:
        """Runs the command to its end."""
        done = subprocess.run(
            self.command(*options, model=model),
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return Ran(code=done.returncode, out=done.stdout, err=done.stderr)


def digits_reader(images: Array, labels: Array) -> onnx.ModelProto:
    """A convolutional reader of 8x8 digits: random filters, and a last layer that is fitted.

    40,000 parameters or so: large enough that int8 pays, small enough to be ready in a second.
    """
    random = np.random.default_rng(5)
    weights = {
        "w0": random.normal(0, 0.4, (24, 1, 3, 3)).astype(np.float32),
        "b0": np.zeros(24, np.float32),
        "w1": random.normal(0, 0.1, (64, 24, 3, 3)).astype(np.float32),
        "b1": np.zeros(64, np.float32),
    }
    features = _digits_model(weights, "features")
    import onnxruntime

    session = onnxruntime.InferenceSession(features.SerializeToString())
    (found,) = session.run(["features"], {"image": images})
    columns = np.concatenate([found / found.std(), np.ones((len(found), 1))], axis=1)
    wanted = _LOGIT * np.eye(CLASSES)[labels]
    ridge = columns.T @ columns + _RIDGE * np.eye(columns.shape[1])
    fitted = np.linalg.solve(ridge, columns.T @ wanted)
    weights["w2"] = (fitted[:-1] / found.std()).astype(np.float32)
    weights["b2"] = fitted[-1].astype(np.float32)
    return _digits_model(weights, "logits")


def _digits_model(weights: dict[str, Array], output: str) -> onnx.ModelProto:
    nodes = [
        helper.make_node("Conv", ["image", "w0", "b0"], ["c0"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c0"], ["r0"]),
        helper.make_node("MaxPool", ["r0"], ["p0"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Conv", ["p0", "w1", "b1"], ["c1"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c1"], ["r1"]),
        helper.make_node("Flatten", ["r1"], ["features"]),
    ]
    shape: list[str | int] = ["N", 1024]
    if output == "logits":
        nodes.append(helper.make_node("Gemm", ["features", "w2", "b2"], ["logits"]))
        shape = ["N", CLASSES]
    graph = helper.make_graph(
        nodes,
        "digits",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 1, 8, 8])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def write_digits(folder: Path) -> None:
    """source.onnx and the rows of one run: calibration, train and evaluation share no image."""
    from sklearn.datasets import load_digits

    data = load_digits()
    images = (data.images / 16).astype(np.float32)[:, None]
    labels = data.target.astype(np.int64)
    order = np.random.default_rng(0).permutation(len(images))
    images, labels = images[order], labels[order]
    onnx.save(digits_reader(images[400:], labels[400:]), folder / "source.onnx")
    np.savez(folder / "evaluation.npz", image=images[:300], y=labels[:300])
    np.savez(folder / "calibration.npz", image=images[300:400])
    np.savez(folder / "train.npz", image=images[400:], y=labels[400:])


def linear(
    inputs: list[tuple[str, int, list[int | str]]], *, outputs: list[str] | None = None
) -> onnx.ModelProto:
    """A tiny model that adds all its inputs, cast to float, times a weight."""
    nodes, terms = [], []
    for name, kind, _ in inputs:
        nodes.append(helper.make_node("Cast", [name], [f"f_{name}"], to=TensorProto.FLOAT))
        nodes.append(helper.make_node("MatMul", [f"f_{name}", f"w_{name}"], [f"t_{name}"]))
        terms.append(f"t_{name}")
        del kind
    named = outputs or ["scores"]
    nodes.append(helper.make_node("Sum", terms, [named[0]]))
    nodes += [helper.make_node("Neg", [named[0]], [name]) for name in named[1:]]
    random = np.random.default_rng(1)
    weights = [
        numpy_helper.from_array(random.normal(size=(int(shape[-1]), 3)).astype("f"), f"w_{name}")
        for name, _, shape in inputs
    ]
    batch = inputs[0][2][0]
    graph = helper.make_graph(
        nodes,
        "linear",
        [helper.make_tensor_value_info(name, kind, shape) for name, kind, shape in inputs],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch, 3]) for name in named],
        weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
