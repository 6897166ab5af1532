"""Variants for LiteRT: the graph as a `.tflite` file, in float or in 8 bits.

Quantized files follow Jacob et al. 2018, "Quantization and Training of Neural Networks for
Efficient Integer-Arithmetic-Only Inference" (arXiv 1712.05877): weights symmetric per channel,
activations affine per tensor, ranges from calibration rows.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import onnx

from shoal.compressor.artifacts import Artifact, Format
from shoal.compressor.evaluate import session
from shoal.compressor.litert.choices import Edges, Keep, Ranges, Scheme
from shoal.compressor.passes import quantizer
from shoal.compressor.passes.protocol import IN_TITLE, Array, Finished, PassContext, PassError
from shoal.compressor.rejections import Rejection
from shoal.compressor.sources.origin import OriginFormat

if TYPE_CHECKING:
    from shoal.compressor.litert.writing import Written

_PARITY: Final = 1e-4  # of the largest answer, or of 1 where all are smaller
_PARITY_ROWS: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepTflite:
    """The `.tflite` file that the user gave, without what no runtime reads in it."""

    method: Literal["convert"] = field(default="convert", init=False)
    scheme: Literal["litert source"] = field(default="litert source", init=False)

    def apply(self, model: onnx.ModelProto, context: PassContext) -> Finished:
        """The file; slimmed only if it then gives the very same answers."""
        del model
        origin = context.origin
        if origin is None or origin.format is not OriginFormat.TFLITE:
            raise PassError(Rejection.BUILD_FAILED, "the source is no .tflite file")
        _require_litert()
        from shoal.compressor.litert import flatfile, verdict  # noqa: PLC0415 - an optional extra

        given = Path(origin.location).read_bytes()
        slimmed = flatfile.pack(flatfile.slim(flatfile.unpack(given)))
        before = verdict.load(given)
        error, _ = verdict.difference(verdict.load(slimmed), before, _rows(context))
        kept = slimmed if error == 0.0 and len(slimmed) < len(given) else given
        notes = {
            "bytes_before": len(given),
            "slimmed": kept is slimmed,
            "operators": verdict.operators(kept),
        }
        return Finished(artifact=Artifact(format=Format.TFLITE, data=kept), notes=notes)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToTflite:
    """The graph as a float file; its answers are held against the graph's on calibration rows."""

    method: Literal["convert"] = field(default="convert", init=False)
    scheme: Literal["litert"] = field(default="litert", init=False)

    def apply(self, model: onnx.ModelProto, context: PassContext) -> Finished:
        """The file, and how far its answers are from the graph's."""
        written = write(model, context)
        from shoal.compressor.litert import flatfile, verdict  # noqa: PLC0415 - an optional extra

        data = flatfile.pack(flatfile.slim(flatfile.unpack(written.data)))
        runner = verdict.load(data)
        reference = session.open_session(model.SerializeToString(), 1)
        error, largest = verdict.difference(runner, reference, _rows(context))
        if not error <= _PARITY * max(largest, 1.0):
            moved = f"as a .tflite file the graph answers otherwise, by {error:.2g}"
            raise PassError(Rejection.BUILD_FAILED, moved)
        notes = {"max_abs": error, "operators": verdict.operators(data)}
        return Finished(artifact=Artifact(format=Format.TFLITE, data=data), notes=notes)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizeTflite:
    """The graph as a file of 8 bits.

    `exclude` names outputs of nodes that compute in float, besides those that `keep` says.
    """

    method: Literal["quantize"] = field(default="quantize", init=False)
    scheme: Literal["litert"] = field(default="litert", init=False)
    numbers: Scheme = field(default=Scheme.STATIC, metadata=IN_TITLE)
    ranges: Ranges = Ranges.MINMAX
    keep: Keep = Keep.NOTHING
    exclude: tuple[str, ...] = ()

    def apply(self, model: onnx.ModelProto, context: PassContext) -> Finished:
        """The file, and what computes in which type in it."""
        written = write(model, context)
        from shoal.compressor.litert import quantizing, verdict  # noqa: PLC0415 - an optional extra

        values = {*_kept(model, self.keep), *self.exclude}
        settings = quantizing.Settings(
            scheme=self.numbers,
            edges=Edges.FLOAT,
            kept=quantizing.kept_names(written.tensors, values),
        )
        static = self.numbers is Scheme.STATIC
        found = observed(written.data, self.ranges, model, context) if static else {}
        data = quantizing.quantize(written.data, settings, found)
        verdict.load(data)
        notes = {"kept_float": sorted(values), "operators": verdict.operators(data)}
        return Finished(artifact=Artifact(format=Format.TFLITE, data=data), notes=notes)


def write(model: onnx.ModelProto, context: PassContext) -> "Written":
    """The graph as a float file, with the tensors that carry its values.

    Raises:
        PassError: UnsupportedOperator, or BuildFailed where the extra is not installed.
    """
    _require_litert()
    from shoal.compressor.litert import writing  # noqa: PLC0415 - an optional extra

    return writing.write(model, context.constants)


def _require_litert() -> None:
    try:
        import ai_edge_litert.interpreter  # noqa: F401, PLC0415 - an optional extra
        import ai_edge_quantizer  # noqa: F401, PLC0415 - an optional extra
    except ImportError as error:
        missing = f"{error.name} is not installed: pip install 'shoal[litert]'"
        raise PassError(Rejection.BUILD_FAILED, missing) from None


def _rows(context: PassContext) -> Iterator[dict[str, Array]]:
    return itertools.islice(quantizer.feeds(context), _PARITY_ROWS)


def observed(
    data: bytes, rule: Ranges, model: onnx.ModelProto, context: PassContext
) -> dict[str, tuple[float, float]]:
    """The range of every value of the float file `data`, over calibration rows."""
    from shoal.compressor.litert import ranges  # noqa: PLC0415 - an optional extra

    feeds = itertools.islice(quantizer.feeds(context), quantizer.calibration_rows(model))
    return ranges.observe(data, feeds).ranges(rule)


def _kept(model: onnx.ModelProto, keep: Keep) -> set[str]:
    """Outputs of the convolutions that a rule keeps in float."""
    if keep is Keep.NOTHING:
        return set()
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    stored = {tensor.name: tensor.dims for tensor in model.graph.initializer}
    thin = [node for node in convolutions if list(stored.get(node.input[1], [0, 0]))[1] == 1]
    kept: list[Any] = convolutions[:1] if keep is Keep.FIRST else [*convolutions[:1], *thin]
    return {node.output[0] for node in kept}
