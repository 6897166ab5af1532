"""What others make of the same model: onnxruntime's own quantizers here, the rest in their venvs.

A peer takes the model and calibration rows and writes a file. Those of `SCRIPTS` are programs of
bench/peers, each run in a virtual environment of its own, because their requirements fight.
"""

import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from bench.compressing import venvs
from bench.compressing.venvs import AbsentError
from bench.models import Prepared

_CALIBRATION_ROWS: Final = 128
_RUN_S: Final = 900

Make = Callable[[Prepared, Path], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """`make` writes the peer's variant of a model to a path."""

    name: str
    make: Make


class _Rows:
    """Calibration rows one by one, as onnxruntime's CalibrationDataReader hands them out."""

    def __init__(self, path: Path) -> None:
        with np.load(path) as archive:
            arrays = {name: archive[name][:_CALIBRATION_ROWS] for name in archive.files}
        arrays.pop("y", None)
        count = len(next(iter(arrays.values())))
        self._rows = iter([{k: v[i : i + 1] for k, v in arrays.items()} for i in range(count)])

    def get_next(self) -> Mapping[str, Any] | None:
        """The next row, None after the last."""
        return next(self._rows, None)


def _static(prepared: Prepared, out: Path, **options: Any) -> None:
    from onnxruntime import quantization  # noqa: PLC0415 - two seconds that a skipped peer saves
    from onnxruntime.quantization.shape_inference import quant_pre_process  # noqa: PLC0415

    cleaned = out.with_suffix(".cleaned.onnx")
    quant_pre_process(prepared.model, cleaned, skip_symbolic_shape=True)
    quantization.quantize_static(cleaned, out, _Rows(prepared.calibration), **options)


def _static_u8s8(prepared: Prepared, out: Path) -> None:
    from onnxruntime.quantization import QuantType  # noqa: PLC0415

    kinds = {"activation_type": QuantType.QUInt8, "weight_type": QuantType.QInt8}
    _static(prepared, out, per_channel=True, **kinds)


def _static_default(prepared: Prepared, out: Path) -> None:
    _static(prepared, out)


def _dynamic(prepared: Prepared, out: Path) -> None:
    from onnxruntime import quantization  # noqa: PLC0415

    quantization.quantize_dynamic(prepared.model, out)


def _blocks(bits: int) -> Make:
    def make(prepared: Prepared, out: Path) -> None:
        import onnx  # noqa: PLC0415
        from onnxruntime.quantization import matmul_nbits_quantizer as nbits  # noqa: PLC0415

        quantizer = nbits.MatMulNBitsQuantizer(
            onnx.load(prepared.model), bits=bits, block_size=32, accuracy_level=4
        )
        quantizer.process()
        quantizer.model.save_model_to_file(str(out))

    return make


OWN_RUNTIME: Final = (
    Peer(name="ORT static U8S8", make=_static_u8s8),
    Peer(name="ORT static default", make=_static_default),
    Peer(name="ORT dynamic", make=_dynamic),
    Peer(name="ORT MatMulNBits-8", make=_blocks(8)),
    Peer(name="ORT MatMulNBits-4", make=_blocks(4)),
)

# peer -> what pip installs into its environment, torch first: its CPU build, as everywhere here
SCRIPTS: Final = {
    "nncf": ("torch==2.13.0", "nncf", "onnx", "onnxruntime"),
    "olive": ("torch==2.13.0", "olive-ai", "onnx", "onnxruntime", "requests"),
    "onnx_inc": (
        *("torch==2.13.0", "onnx-neural-compressor", "onnxruntime"),
        *("prettytable", "psutil", "py-cpuinfo", "scipy"),  # imported, and not asked for by it
    ),
}


def in_own_venvs(folder: Path) -> Iterator[Peer]:
    """The peers of bench/peers; each makes its environment below `folder` when first used."""
    for name, packages in SCRIPTS.items():
        yield Peer(name=name, make=_scripted(name, packages, folder / name))


def _scripted(name: str, packages: tuple[str, ...], venv: Path) -> Make:
    def make(prepared: Prepared, out: Path) -> None:
        python = venvs.installed(venv, packages)
        script = Path(__file__).parent.parent / "peers" / f"{name}.py"
        # -P: the script is named like the package that it imports.
        venvs.checked([str(python), "-P", str(script), *_files(prepared), str(out)], _RUN_S)

    return make


def _files(prepared: Prepared) -> tuple[str, str]:
    return str(prepared.model), str(prepared.calibration)


def make(peer: Peer, prepared: Prepared, out: Path) -> None:
    """Lets a peer write its variant.

    Raises:
        AbsentError: it is not here, or it refused the model.
    """
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            peer.make(prepared, out)
    except AbsentError:
        raise
    except Exception as error:
        text = (str(error).splitlines() or [""])[0][:120]
        raise AbsentError(f"raises {type(error).__name__}: {text}") from error
    finally:
        root.setLevel(level)
