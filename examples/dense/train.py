"""Train a dense net on handwritten digits and save it for shoal-compress.

    python train.py --out DIR

DIR receives model.onnx (input `pixels` [N,64] float32 in 0..1, output `probabilities` [N,10]),
train.npz, calibration.npz (inputs only) and evaluation.npz (inputs and labels `y`). The data are
scikit-learn's 1,797 images of 8x8, all distinct: 80 % to train, 20 % held out, stratified.
"""

import argparse
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

HIDDEN = (128, 64)
EPOCHS = 25
CALIBRATION_ROWS = 400


def as_onnx(net: MLPClassifier) -> onnx.ModelProto:
    """The net as Gemm and Relu, and a Softmax at its end."""
    nodes, stored, value = [], [], "pixels"
    layers = list(zip(net.coefs_, net.intercepts_, strict=True))
    for number, (weight, bias) in enumerate(layers):
        names = [f"weight{number}", f"bias{number}"]
        for name, array in zip(names, (weight, bias), strict=True):
            stored.append(numpy_helper.from_array(array.astype(np.float32), name))
        nodes.append(helper.make_node("Gemm", [value, *names], [f"sum{number}"]))
        last = number == len(layers) - 1
        value = "probabilities" if last else f"hidden{number}"
        nodes.append(helper.make_node("Softmax" if last else "Relu", [f"sum{number}"], [value]))
    graph = helper.make_graph(
        nodes,
        "dense",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["N", 64])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", 10])],
        stored,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def main() -> None:
    """Train, save, tell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(), help="folder to write to")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)

    digits = load_digits()
    pixels = (digits.data / 16).astype(np.float32)
    x_train, x_test, y_train, y_test = train_test_split(
        pixels, digits.target, test_size=0.2, stratify=digits.target, random_state=0
    )
    net = MLPClassifier(HIDDEN, batch_size=32, learning_rate_init=1e-3, random_state=0)
    for _ in range(EPOCHS):
        net.partial_fit(x_train, y_train, classes=digits.target_names)

    onnx.save(as_onnx(net), out / "model.onnx")
    np.savez(out / "train.npz", pixels=x_train, y=y_train)
    np.savez(out / "calibration.npz", pixels=x_train[:CALIBRATION_ROWS])
    np.savez(out / "evaluation.npz", pixels=x_test, y=y_test)
    print(f"{sum(w.size for w in net.coefs_)} weights")
    print(f"accuracy on {len(x_test)} images: {net.score(x_test, y_test):.4f}")


if __name__ == "__main__":
    main()
