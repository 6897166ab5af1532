"""The source format `.tflite`: read without TensorFlow, turned into ONNX, held against LiteRT."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import onnx

from shoal.compressor.sources.litert import converting, parsing
from shoal.compressor.sources.litert.building import TO_FIRST
from shoal.compressor.sources.litert.converting import Converted
from shoal.compressor.sources.litert.values import Graph
from shoal.compressor.sources.origin import Origin
from shoal.compressor.sources.rows import Array


class LiteConverter:
    """One `.tflite` file; LiteRT itself answers for it."""

    def __init__(self, path: Path, graph: Graph) -> None:
        self._path = path
        self._graph = graph
        self._converted: Converted | None = None

    def convert(self) -> onnx.ModelProto:
        """The file as one ONNX graph.

        Raises:
            InvalidError: ConversionFailed, an operator has no form in ONNX.
        """
        self._converted = converting.convert(self._graph)
        return self._converted.model

    def answers(self, feed: Mapping[str, Array]) -> dict[str, Array]:
        """What LiteRT answers, row by row, as the file takes one at a time."""
        from shoal.engines import litert  # noqa: PLC0415 - an optional extra

        with litert.quiet():
            runner = litert.open_tflite(self._path, 1)
        names = [self._graph.names[place] for place in self._graph.outputs]
        answered = [runner.run(names, one) for one in self._rows(feed)]
        if len(answered) == 1:
            return dict(zip(names, answered[0], strict=True))
        return {
            name: np.concatenate([row[at] for row in answered]) for at, name in enumerate(names)
        }

    @property
    def rounds(self) -> bool:
        """Whether it computes in steps of a scale, where a half may be rounded to either side."""
        made = {place for one in self._graph.operators for place in one.outputs}
        return any(self._graph.tensors[place].is_quantized for place in made)

    def trace(self, feed: Mapping[str, Array]) -> Iterator[tuple[str, str, Array]]:
        """Every operator's result in LiteRT for the first row, laid out as in the ONNX graph."""
        from shoal.compressor.litert import tracing  # noqa: PLC0415 - an optional extra

        converted = self._converted or converting.convert(self._graph)
        places = [place for one in self._graph.operators for place in one.outputs]
        found = tracing.values(self._path, self._rows(feed)[0], places)
        for operator in self._graph.operators:
            for place in operator.outputs:
                if place not in converted.values or place not in found:
                    continue
                name, first = converted.values[place]
                value = found[place].transpose(TO_FIRST) if first else found[place]
                yield f"{operator.kind} {self._graph.tensors[place].name}", name, value

    def _rows(self, feed: Mapping[str, Array]) -> list[dict[str, Array]]:
        shapes = {self._graph.names[at]: self._graph.tensors[at].shape for at in self._graph.inputs}
        if all(feed[name].shape == shape for name, shape in shapes.items()):
            return [dict(feed)]
        count = min(len(feed[name]) for name in shapes)
        return [{name: feed[name][row : row + 1] for name in shapes} for row in range(count)]


def open_origin(origin: Origin) -> LiteConverter:
    """The converter of a `.tflite` file.

    Raises:
        InvalidError: it is no LiteRT model, damaged, or the extra `litert` is not installed.
    """
    path = Path(origin.location)
    return LiteConverter(path, parsing.read(path))
