"""The source model, admitted: one file, its digest and its signature."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from shoal.compressor import errors
from shoal.compressor.sources.signature import Signature, Tensor
from shoal.contract import digest, limits
from shoal.contract.problem import InvalidError, Problem
from shoal.contract.reason import Reason

_CHECK_TIMEOUT_S: Final = 2 * limits.PARSE_CPU_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A checked model: `path` is one file, with data files folded in."""

    path: Path
    digest: digest.Digest
    bytes: int
    signature: Signature


def read(path: Path, scratch: Path) -> Source:
    """The source at `path`, checked in a child process; `scratch` is a folder for the folded file.

    Raises:
        InvalidError: what is wrong with the file.
    """
    folded = scratch / "source.onnx"
    answer = _ask_child(path, folded)
    if "problem" in answer:
        raise InvalidError(Problem(**answer["problem"]))
    one_file = folded if answer["folded"] else path
    return Source(
        path=one_file,
        digest=digest.of_file(one_file),
        bytes=one_file.stat().st_size,
        signature=_signature(answer["signature"]),
    )


def _ask_child(path: Path, folded: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "shoal.compressor.sources.check", str(path), str(folded)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_CHECK_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        raise _died(path, "took too long") from None
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["no message"]
        raise _died(path, f"ended with status {done.returncode}: {last[0][:300]}") from None
    return answer


def _died(path: Path, how: str) -> InvalidError:
    return errors.invalid(
        Reason.LOAD_FAILED,
        f"the process that checks {path.name} {how}",
        field="MODEL",
        hint="the file makes its reader fail; export it again",
    )


def _signature(data: dict[str, Any]) -> Signature:
    def tensors(items: list[dict[str, Any]]) -> tuple[Tensor, ...]:
        return tuple(
            Tensor(name=i["name"], dtype=i["dtype"], shape=tuple(i["shape"])) for i in items
        )

    return Signature(inputs=tensors(data["inputs"]), outputs=tensors(data["outputs"]))
