"""8-bit files through ai-edge-quantizer, from our own ranges, with operators kept in float by name.

What stays in float keeps its weights in 8 bits all the same: XNNPACK unpacks stored weights once,
when the file is loaded, so such an operator is as fast as in float and a quarter of the bytes.
"""

import contextlib
import io
import re
import warnings
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from shoal.compressor.litert import flatfile, versions
from shoal.compressor.litert.choices import Edges, Scheme
from shoal.compressor.passes.protocol import PassError
from shoal.compressor.rejections import Rejection

_ANY: Final = ".*"
_MIN_MAX: Final = "min_max_uniform_quantize"
_WEIGHTS: Final = {
    "num_bits": 8,
    "symmetric": True,
    "granularity": "CHANNELWISE",
    "dtype": "INT",
}
_ACTIVATIONS: Final = {
    "num_bits": 8,
    "symmetric": False,
    "granularity": "TENSORWISE",
    "dtype": "INT",
}
_FLAGS: Final = {"skip_checks": False, "min_weight_elements": 0}
_STATIC: Final = {
    "activation_tensor_config": _ACTIVATIONS,
    "weight_tensor_config": _WEIGHTS,
    "compute_precision": "INTEGER",
    "explicit_dequantize": False,
    **_FLAGS,
}
_DYNAMIC: Final = {
    "weight_tensor_config": _WEIGHTS,
    "compute_precision": "INTEGER",
    "explicit_dequantize": False,
    **_FLAGS,
}
_STORED: Final = {
    "weight_tensor_config": _WEIGHTS,
    "compute_precision": "FLOAT",
    "explicit_dequantize": True,
    **_FLAGS,
}
_WEIGHTED: Final = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "CONV_2D_TRANSPOSE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """`kept` are the output tensors of operators that stay in float."""

    scheme: Scheme
    edges: Edges
    kept: tuple[str, ...]


def quantize(data: bytes, settings: Settings, ranges: Mapping[str, tuple[float, float]]) -> bytes:
    """The float file `data` in 8 bits; `ranges` by tensor name, needed by the static scheme alone.

    Raises:
        PassError: BuildFailed, the quantizer refuses the file.
    """
    from ai_edge_quantizer import quantizer  # noqa: PLC0415 - not paid by float files

    extremes = {
        name: {"min": np.array(low, np.float32), "max": np.array(high, np.float32)}
        for name, (low, high) in ranges.items()
    }
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            result = quantizer.Quantizer(bytearray(data), _recipe(settings)).quantize(extremes)
    except Exception as error:
        text = (str(error).splitlines() or [type(error).__name__])[0][:300]
        raise PassError(Rejection.BUILD_FAILED, f"ai-edge-quantizer raised: {text}") from error
    model = flatfile.unpack(bytes(result.quantized_model))
    versions.settle(model)
    return flatfile.pack(flatfile.slim(model))


def _recipe(settings: Settings) -> list[dict[str, Any]]:
    """Later entries overrule earlier ones."""
    config = {
        Scheme.STATIC: _STATIC,
        Scheme.DYNAMIC: _DYNAMIC,
        Scheme.WEIGHTS: _STORED,
    }[settings.scheme]
    entries = [_entry(_ANY, "*", _MIN_MAX, config)]
    if settings.scheme is Scheme.STATIC and settings.edges is Edges.FLOAT:
        entries += [_entry(_ANY, edge, "no_quantize", config) for edge in ("INPUT", "OUTPUT")]
    if settings.kept:
        scope = f"^({'|'.join(map(re.escape, settings.kept))});"
        entries.append(_entry(scope, "*", "no_quantize", config))
        entries += [_entry(scope, kind, _MIN_MAX, _STORED) for kind in _WEIGHTED]
    return entries


def _entry(scope: str, operation: str, algorithm: str, config: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "regex": scope,
        "operation": operation,
        "algorithm_key": algorithm,
        "op_config": dict(config),
    }


def kept_names(tensors: Mapping[str, tuple[str, ...]], values: Collection[str]) -> tuple[str, ...]:
    """The tensors of the ONNX values named, as `Settings.kept` wants them."""
    return tuple(sorted({one for value in values for one in tensors.get(value, ())}))
