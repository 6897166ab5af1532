"""NNCF's post-training quantization of an ONNX file: MODEL CALIBRATION.npz OUT."""

import sys

import nncf
import numpy as np
import onnx


def main(model: str, calibration: str, out: str) -> None:
    """Quantizes with the library's defaults and 128 calibration rows."""
    with np.load(calibration) as archive:
        arrays = {name: archive[name][:128] for name in archive.files if name != "y"}
    count = len(next(iter(arrays.values())))
    rows = [{name: rows[i : i + 1] for name, rows in arrays.items()} for i in range(count)]
    onnx.save(nncf.quantize(onnx.load(model), nncf.Dataset(rows), subset_size=count), out)


if __name__ == "__main__":
    main(*sys.argv[1:4])
