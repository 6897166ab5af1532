"""Neural Compressor's ONNX branch, static quantization: MODEL CALIBRATION.npz OUT."""

import sys

import numpy as np
from onnx_neural_compressor import data_reader
from onnx_neural_compressor.quantization import QuantFormat, QuantType, config, quantize


class Rows(data_reader.CalibrationDataReader):  # type: ignore[misc]  # not installed here
    """Calibration rows one by one."""

    def __init__(self, path: str) -> None:
        with np.load(path) as archive:
            arrays = {name: archive[name][:128] for name in archive.files if name != "y"}
        count = len(next(iter(arrays.values())))
        self._all = [{name: rows[i : i + 1] for name, rows in arrays.items()} for i in range(count)]
        self.rewind()

    def get_next(self) -> dict[str, object] | None:
        """The next row, None after the last."""
        return next(self._rows, None)

    def rewind(self) -> None:
        """Starts over."""
        self._rows = iter(self._all)


def main(model: str, calibration: str, out: str) -> None:
    """Quantizes per channel, unsigned activations and signed weights."""
    settings = config.StaticQuantConfig(
        calibration_data_reader=Rows(calibration),
        quant_format=QuantFormat.QOperator,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )
    quantize(model, out, settings)


if __name__ == "__main__":
    main(*sys.argv[1:4])
