"""Olive's static quantization of an ONNX file: MODEL CALIBRATION.npz OUT."""

import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
from olive.data.config import DataComponentConfig, DataConfig
from olive.data.registry import Registry
from olive.workflows import run


class Rows:
    """Calibration rows by index, each with an unused label, as Olive's data containers want."""

    def __init__(self, path: str) -> None:
        with np.load(path) as archive:
            self._arrays = {name: archive[name][:128] for name in archive.files if name != "y"}

    def __len__(self) -> int:
        return len(next(iter(self._arrays.values())))

    def __getitem__(self, index: int) -> tuple[dict[str, object], int]:
        return {name: rows[index] for name, rows in self._arrays.items()}, 0


def main(model: str, calibration: str, out: str) -> None:
    """Quantizes with Olive's OnnxStaticQuantization pass as it comes."""
    Registry.register_dataset("bench_rows")(lambda **_options: Rows(calibration))
    data = DataConfig(
        name="rows",
        load_dataset_config=DataComponentConfig(type="bench_rows"),
        pre_process_data_config=DataComponentConfig(type="skip_pre_process"),
        post_process_data_config=DataComponentConfig(type="skip_post_process"),
    )
    with tempfile.TemporaryDirectory() as folder:
        run(
            {
                "input_model": {"type": "ONNXModel", "model_path": model},
                "data_configs": [data.to_json()],
                "passes": {"quantize": {"type": "OnnxStaticQuantization", "data_config": "rows"}},
                "output_dir": folder,
                "cache_dir": f"{folder}/cache",
            }
        )
        found = sorted(Path(folder).rglob("*.onnx"), key=lambda path: path.stat().st_mtime)
        shutil.copyfile(found[-1], out)


if __name__ == "__main__":
    main(*sys.argv[1:4])
