"""An ONNX model as one file: data files beside it are folded in, anything else is refused.

A model file is hostile until proven otherwise, so it is read in a child process with limits of
memory, time and output (`python -m shoal.client.onnxfile MODEL OUT`), which answers with one line
of JSON: `{"folded": true|false}` or `{"error": {…}}`.
"""

import contextlib
import json
import mmap
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

from shoal.client import tensors
from shoal.contract import limits
from shoal.contract.problem import FailedError, InvalidError, Problem, ProblemError
from shoal.contract.reason import Reason

PROTOBUF_BYTES = (1 << 31) - 1  # what one protobuf message may have, and so one ONNX file
_PATIENCE_S = 2 * limits.PARSE_CPU_SECONDS


def as_one_file(model: Path, scratch: Path) -> Path:
    """`model` itself when it holds all its tensors, else a folded copy of it in folder `scratch`.

    Raises:
        InvalidError: not ONNX, truncated, or with data outside its folder.
        FailedError: the reading child broke a limit or died.
    """
    target = scratch / model.name
    command = [sys.executable, "-m", "shoal.client.onnxfile", str(model), str(target)]
    try:
        child = subprocess.run(command, capture_output=True, timeout=_PATIENCE_S, check=False)
        answer: dict[str, Any] = json.loads(child.stdout)
    except (subprocess.TimeoutExpired, ValueError) as error:
        raise FailedError(
            Problem(
                reason=Reason.NOT_ONNX,
                message=f"{model} could not be read within the limits of memory and time",
                hint="check that it is an ONNX model",
            )
        ) from error
    if "error" in answer:
        problem = {"field": None, **answer["error"]}
        raise InvalidError(Problem(**{**problem, "message": f"{model}: {problem['message']}"}))
    return target if answer["folded"] else model


def fold(model: Path, target: Path) -> bool:
    """Writes `model` with all its tensors to `target`; False when nothing had to be folded."""
    if model.stat().st_size == 0:
        raise _invalid(Reason.NOT_ONNX, "the file is empty")
    with (
        model.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
        memoryview(mapped) as data,
        contextlib.closing(tensors.Folder(data, model.parent)) as folder,
    ):
        folded = folder.model()
        if not folded.changed:
            return False
        if folded.length > PROTOBUF_BYTES:
            raise _invalid(
                Reason.EXTERNAL_DATA,
                f"as one file the model would have {folded.length} bytes; ONNX allows 2 GiB",
            )
        with target.open("wb") as sink:
            tensors.write(folded, data, sink.write)
        return True


def _invalid(reason: Reason, message: str) -> InvalidError:
    return InvalidError(Problem(reason=reason, message=message))


def _confine() -> None:
    for what, most in (
        (resource.RLIMIT_AS, limits.PARSE_MEMORY_BYTES + limits.MODEL_BYTES),
        (resource.RLIMIT_CPU, limits.PARSE_CPU_SECONDS),
        (resource.RLIMIT_FSIZE, PROTOBUF_BYTES),
        (resource.RLIMIT_CORE, 0),
    ):
        _soft, hard = resource.getrlimit(what)
        allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (allowed, allowed))


def _child(arguments: list[str]) -> None:
    _confine()
    model, target = (Path(argument) for argument in arguments)
    try:
        answer: dict[str, Any] = {"folded": fold(model, target)}
    except ProblemError as error:
        answer = {"error": error.problem.to_json()}
    except OSError as error:
        answer = {
            "error": _invalid(Reason.NOT_FOUND, error.strerror or "unreadable").problem.to_json()
        }
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    _child(sys.argv[1:])
