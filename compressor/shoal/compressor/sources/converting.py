"""The child that turns an origin into ONNX: `python -m shoal.compressor.sources.converting`.

What the user gave is opened, converted and run here alone, under limits. A spec comes as JSON on
stdin: `{"origin": {…}, "rows": PATH|null, "onnx": PATH, "imports": [FOLDER]}`. PATH receives the
graph and stdout one JSON object, `{"notes": {…}}` or `{"problem": {…}}`. The answers of graph and
origin are compared on the rows before anything is said.
"""

import importlib
import json
import os
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Protocol

import onnx

from shoal.compressor import errors
from shoal.compressor.sources import likeness
from shoal.compressor.sources.origin import Origin, OriginFormat
from shoal.compressor.sources.rows import Array
from shoal.contract import limits
from shoal.contract.problem import InvalidError, Problem
from shoal.contract.reason import Reason

_MODULES: Final = {
    OriginFormat.PT2: "torchfile",
    OriginFormat.LOADER: "loader",
    OriginFormat.SKOPS: "estimators",
    OriginFormat.TFLITE: "litert",
    OriginFormat.PICKLE: "pickles",
}


class Converter(Protocol):
    """An opened origin.

    One that can also say where a difference begins has `trace(feed)`, an iterator of (layer title,
    ONNX value name, array) in the order of computation (`likeness.Traced`).
    """

    def convert(self) -> onnx.ModelProto:
        """The origin as one graph, its row axis open wherever the origin allows that.

        Raises:
            InvalidError: what has no ONNX form.
        """
        ...

    def answers(self, feed: Mapping[str, Array]) -> dict[str, Array]:
        """What the origin's own runtime answers, by the names of the graph's outputs."""
        ...


def convert(origin: Origin, rows: Path | None, target: Path) -> dict[str, Any]:
    """Writes the origin's graph to `target` and returns what was proved of it.

    Raises:
        InvalidError: it cannot be read or converted, or answers otherwise (ParityFailed).
    """
    converter = _opened(origin, rows)
    model = converter.convert()
    target.write_bytes(model.SerializeToString(deterministic=True))
    return likeness.prove(converter, model, rows)


def _opened(origin: Origin, rows: Path | None) -> Converter:
    """Each format's module is imported only when it is asked for."""
    module = importlib.import_module(f"shoal.compressor.sources.{_MODULES[origin.format]}")
    opened: Converter
    if origin.format is OriginFormat.PICKLE:  # an unpickled network has no example inputs but rows
        opened = module.open_origin(origin, rows)
    else:
        opened = module.open_origin(origin)
    return opened


def _attempt(spec: Mapping[str, Any]) -> dict[str, Any]:
    given = spec["origin"]
    origin = Origin(
        format=OriginFormat(given["format"]),
        location=given["location"],
        trusted=tuple(given["trusted"]),
        trust_pickle=given["trust_pickle"],
    )
    rows = None if spec["rows"] is None else Path(spec["rows"])
    try:
        return {"notes": convert(origin, rows, Path(spec["onnx"]))}
    except InvalidError as error:
        return {"problem": error.problem.to_json()}
    except MemoryError:
        return {"problem": _too_large(origin).to_json()}
    except Exception as error:  # noqa: BLE001 - foreign bytes make foreign libraries raise anything
        traceback.print_exc()
        return {"problem": _broken(origin, error).to_json()}


def _too_large(origin: Origin) -> Problem:
    return errors.invalid(
        Reason.MODEL_TOO_LARGE,
        f"{origin.name} needs more than {limits.CONVERT_MEMORY_BYTES // limits.MIB} MiB to convert",
        field="MODEL",
        hint="export a smaller model, or convert it to ONNX on a larger machine",
    ).problem


def _broken(origin: Origin, error: Exception) -> Problem:
    first = str(error).strip().splitlines()[:1] or ["no message"]
    return errors.invalid(
        Reason.CONVERSION_FAILED,
        f"{origin.name} cannot be turned into ONNX: {type(error).__name__}: {first[0][:300]}",
        field="MODEL",
        hint="export it to ONNX where it was trained (torch.onnx.export, skl2onnx), give that file",
    ).problem


def main() -> None:
    """The child's entry: a spec on stdin, one line of JSON on stdout."""
    spec = json.load(sys.stdin)
    sys.path += spec["imports"]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries and loaders print is no answer
    answer = _attempt(spec)
    json.dump(answer, answers)
    answers.close()


if __name__ == "__main__":
    main()
