"""The child that opens a foreign ONNX model (`sandbox.ask`).

A model file is hostile until proven otherwise, so it is first parsed here, under limits. A spec
comes as JSON on stdin, `{"model": PATH, "folded": PATH}`; stdout gets one object,
`{"signature": …, "folded": bool}` or `{"problem": …}`. Where the model has data files beside it,
the second path receives it as one file.
"""

import json
import mmap
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import onnx
import onnxruntime
from google.protobuf.message import DecodeError

from shoal.compressor import errors
from shoal.compressor.sources import external, weights, wire
from shoal.compressor.sources.signature import ELEMENTS, Signature, Tensor
from shoal.contract import limits
from shoal.contract.problem import InvalidError
from shoal.contract.reason import Reason

KNOWN_DOMAINS: Final = {"", "ai.onnx", "ai.onnx.ml", "com.microsoft", "com.microsoft.nchwc"}
OLDEST_OPSET: Final = 7
_AGAIN: Final = "copy or export the file again and compare its size with the original's"


def check(path: Path, folded: Path) -> dict[str, Any]:
    """The model's signature, after every check of design section 4.1.

    Raises:
        InvalidError: what is wrong with the file.
    """
    model = _parse(path)
    _within_bounds(model)
    _current(model)
    outside = external.fold(model, path.parent)
    weights.check(model)
    if outside:
        folded.write_bytes(model.SerializeToString(deterministic=True))
    signature = _probe(folded if outside else path)
    return {"signature": asdict(signature), "folded": bool(outside)}


def _parse(path: Path) -> onnx.ModelProto:
    with path.open("rb") as file:
        if path.stat().st_size == 0:
            raise _refuse(Reason.NOT_ONNX, f"{path.name} is empty", _AGAIN)
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            with memoryview(mapped) as view:
                shape = wire.shape(view)
            data = mapped[:]
    if shape is wire.Shape.FOREIGN:
        raise _refuse(
            Reason.NOT_ONNX,
            f"{path.name} is not an ONNX model",
            "export the model to ONNX (torch.onnx.export, skl2onnx) and give that file",
        )
    if shape is wire.Shape.TRUNCATED:
        raise _refuse(Reason.TRUNCATED_MODEL, f"{path.name} ends in the middle of a model", _AGAIN)
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except DecodeError:
        raise _refuse(
            Reason.NOT_ONNX, f"{path.name} is damaged inside, or nested too deeply", _AGAIN
        ) from None
    return model


def _within_bounds(model: onnx.ModelProto) -> None:
    bodies: list[onnx.GraphProto | onnx.FunctionProto] = [model.graph, *model.functions]
    nodes = 0
    local = {function.domain for function in model.functions}
    while bodies:
        body = bodies.pop()
        nodes += len(body.node)
        if nodes > limits.MODEL_NODES:
            raise _refuse(
                Reason.MODEL_TOO_LARGE,
                f"the model has more than {limits.MODEL_NODES} nodes",
                "give a smaller model",
            )
        for node in body.node:
            if node.domain not in KNOWN_DOMAINS | local:
                raise _refuse(
                    Reason.UNKNOWN_DOMAIN,
                    f"node {node.name or node.op_type!r} is of the unknown domain {node.domain!r}",
                    "export without custom operators; "
                    "known domains are ai.onnx, ai.onnx.ml and com.microsoft",
                )
            for attribute in node.attribute:
                bodies.extend((attribute.g, *attribute.graphs))
    if any(len(tensor.dims) > limits.MODEL_DIMS for tensor in external.tensors(model)):
        raise _refuse(
            Reason.MODEL_TOO_LARGE,
            f"the model has a tensor of more than {limits.MODEL_DIMS} dimensions",
            "give a model with fewer dimensions",
        )


def _current(model: onnx.ModelProto) -> None:
    """An operator set that onnxruntime still promises to run."""
    versions = [o.version for o in model.opset_import if o.domain in {"", "ai.onnx"}]
    if versions and min(versions) < OLDEST_OPSET:
        raise _refuse(
            Reason.LOAD_FAILED,
            f"the model is of opset {min(versions)}, older than {OLDEST_OPSET}",
            "bring it up: onnx.version_converter.convert_version(onnx.load(PATH), 17)",
        )


def _probe(path: Path) -> Signature:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # noqa: BLE001 - the runtime's own exceptions share no base
        text = str(error).splitlines()[0][:500]
        raise _refuse(
            Reason.LOAD_FAILED,
            f"onnxruntime {onnxruntime.__version__} cannot load the model: {text}",
            "check it with onnx.checker.check_model and export it again",
        ) from None
    inputs = tuple(_tensor(value) for value in session.get_inputs())
    if not inputs:
        raise _refuse(
            Reason.INVALID,
            "the model takes no input: it answers the same whatever it is given",
            "export it with its inputs as graph inputs",
        )
    for tensor, value in zip(inputs, session.get_inputs(), strict=True):
        _check_input(tensor, value.type)
    return Signature(inputs=inputs, outputs=tuple(_tensor(v) for v in session.get_outputs()))


def _check_input(tensor: Tensor, kind: str) -> None:
    if not tensor.dtype:
        raise _refuse(
            Reason.INVALID,
            f"input {tensor.name!r} takes {kind}, and rows hold numbers",
            "export the model with numeric tensors as inputs: what turns text into numbers "
            "belongs before it",
        )
    if 0 in tensor.shape:
        raise _refuse(
            Reason.INVALID,
            f"input {tensor.name!r} has a dimension of 0: it can hold no value",
            "export the model again with an example input that is not empty",
        )


def _tensor(value: Any) -> Tensor:
    dtype = ELEMENTS.get(value.type, "")
    shape = tuple(d if isinstance(d, int) else None for d in value.shape) if dtype else ()
    return Tensor(name=value.name, dtype=dtype, shape=shape)


def _refuse(reason: Reason, message: str, hint: str) -> InvalidError:
    return errors.invalid(reason, message, field="MODEL", hint=hint)


def main() -> None:
    """The child's entry: a spec on stdin, one line of JSON on stdout."""
    spec = json.load(sys.stdin)
    try:
        answer = check(Path(spec["model"]), Path(spec["folded"]))
    except InvalidError as error:
        answer = {"problem": error.problem.to_json()}
    except MemoryError:
        too_large = _refuse(Reason.MODEL_TOO_LARGE, "the model needs more than 4 GiB to read", "")
        answer = {"problem": too_large.problem.to_json()}
    sys.stdout.write(json.dumps(answer))
