"""The preflight child: `python -m shoal.agent.serve.preflight`, a fresh process for one candidate.

stdin: `{"parent": pid, "memory_bytes": n, "cpu_s": n, "request": ProbeRequest}`. stdout: one
`Verdict` as JSON. A model that crashes, hangs or eats the memory does so here, and the way this
process ends says so.

Of third parties only numpy, onnxruntime and, for a .tflite file, LiteRT are imported: start-up is
most of what a preflight costs.
"""

import contextlib
import json
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import onnxruntime  # noqa: F401 - imported before memory is looked at: it is the runtime's own share

from shoal.agent.core.ports import ProbeRequest
from shoal.agent.errors import EngineError
from shoal.agent.serve import answers, golden, latency, lifeline, memory
from shoal.agent.serve.golden import Golden
from shoal.agent.serve.latency import Latency
from shoal.agent.serve.runtimes import files
from shoal.agent.serve.sessions import Array, Session, SessionOptions
from shoal.contract.jsonform import from_json, to_json
from shoal.contract.reason import Reason
from shoal.contract.report import PreflightResult

MEMORY_RUNS = 20  # contracts: section 3, peak_memory_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What this process prints; `reason` is empty where the candidate passed."""

    result: PreflightResult | None = None
    active_answers: tuple[int, ...] = ()
    reason: str = ""
    message: str = ""


def main() -> None:
    """Judge the candidate named on stdin."""
    order = json.loads(sys.stdin.buffer.read())
    lifeline.die_with(order["parent"])
    # Whoever stops the whole service says nothing of the candidate; the supervisor kills us.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    lifeline.confine(order["memory_bytes"], order["cpu_s"])
    # Nothing that a library prints may end up in the verdict.
    out = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)
    try:
        verdict = judge(from_json(ProbeRequest, order["request"]))
    except EngineError as error:
        verdict = Verdict(reason=error.reason, message=error.message)
    json.dump(to_json(verdict), out)
    out.close()


def judge(request: ProbeRequest) -> Verdict:
    """Load, run and compare the candidate; then hold the figures against the limits.

    Raises:
        EngineError: LOAD_FAILED, it does not load or run; BAD_DATA, its golden set does not fit.
    """
    rows = {} if request.golden is None else golden.read(request.golden)
    files.prepare(request.candidate)
    before_bytes = memory.resident_bytes()
    candidate = Session(request.candidate, _options(request))
    golden_rows = Golden(rows, candidate) if rows else None
    feeds = candidate.example() if golden_rows is None else golden_rows.feed(0)
    run = partial(candidate.attempt, feeds)
    for _ in range(MEMORY_RUNS):
        run()
    peak_bytes = memory.peak_bytes() - before_bytes
    active = _active(request, rows)
    taken = latency.measure(run, active.run if active else None, request.limits)
    result = PreflightResult(
        agreement=_agreement(request, candidate, golden_rows),
        p50_ms=taken.p50_ms,
        p95_ms=taken.p95_ms,
        active_p95_ms=taken.active_p95_ms,
        latency_ratio=taken.ratio,
        peak_memory_bytes=peak_bytes,
        load_ms=candidate.load_s * 1000,
    )
    verdict = Verdict(result=result, active_answers=active.answers if active else ())
    reason, message = _refusal(request, result, taken)
    return replace(verdict, reason=reason, message=message)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Active:
    """The variant that serves now: how to run it, and its answers on the golden rows."""

    run: latency.Run
    answers: tuple[int, ...]


def _active(request: ProbeRequest, rows: Mapping[str, Array]) -> _Active | None:
    """The active variant, loaded beside the candidate.

    It serves in another process whatever happens here: where it cannot be compared, because it is
    of another model with other inputs for example, the candidate is judged without it.
    """
    if request.active is None:
        return None
    with contextlib.suppress(EngineError):
        try:
            session = Session(request.active, _options(request))
        except EngineError:  # its answering output may have another name
            session = Session(request.active, replace(_options(request), output=""))
        if not rows:
            return _Active(run=partial(session.attempt, session.example()), answers=())
        golden_rows = Golden(rows, session)
        outputs = golden.outputs(session, golden_rows)
        return _Active(
            run=partial(session.attempt, golden_rows.feed(0)), answers=golden.classes(outputs)
        )
    return None


def _agreement(request: ProbeRequest, candidate: Session, rows: Golden | None) -> float:
    """The share of golden decisions that are the reference's; 1.0 where there is none."""
    if rows is None:
        return 1.0
    outputs = golden.outputs(candidate, rows)
    if request.reference is None:
        return 1.0
    reference = golden.read(request.reference)
    ours = np.stack([answers.decisions(output, 1) for output in outputs])
    theirs = _reference(reference, ours.shape, candidate.answering.dtype)
    if theirs is None:
        raise EngineError(Reason.BAD_DATA, "the reference is not of the golden set's rows")
    return float(np.mean((ours == theirs) & (ours != answers.NO_ANSWER)))


def _reference(
    reference: Mapping[str, Array], shape: tuple[int, ...], dtype: np.dtype[Any]
) -> Array | None:
    """The reference's decisions, decided here from its outputs where they are there.

    Both sides are decided by one rule then, whatever the writer of `answers` thinks of ties. The
    outputs are stored as floats, labels too: `dtype` is what the model gives.
    """
    rows = shape[0]
    decided = [
        answers.decisions(reference[name].astype(dtype), rows)
        if name == "outputs"
        else reference[name]
        for name in ("outputs", "answers")
        if name in reference and len(reference[name]) == rows
    ]
    return next((one.reshape(shape) for one in decided if one.size == np.prod(shape)), None)


def _refusal(request: ProbeRequest, result: PreflightResult, taken: Latency) -> tuple[str, str]:
    """Reason and message of the first limit that is exceeded; empty where none is."""
    limits = request.limits
    size = request.candidate.stat().st_size
    if limits.budget.artifact_bytes is not None and size > limits.budget.artifact_bytes:
        return (
            Reason.ARTIFACT_EXCEEDED,
            f"the artifact has {size} bytes, the budget {limits.budget.artifact_bytes}",
        )
    if result.agreement < limits.min_agreement:
        return (
            Reason.PARITY_FAILED,
            f"agreement {result.agreement:.4f} is below the least allowed {limits.min_agreement:g}",
        )
    most = limits.budget.memory_bytes
    if most is not None and result.peak_memory_bytes > most:
        return (
            Reason.MEMORY_EXCEEDED,
            f"peak memory is {result.peak_memory_bytes} bytes, the budget {most}",
        )
    if exceeded := taken.exceeds(limits):
        return Reason.LATENCY_EXCEEDED, exceeded
    return "", ""


def _options(request: ProbeRequest) -> SessionOptions:
    return SessionOptions(
        providers=request.providers, threads=request.threads, output=request.output
    )


if __name__ == "__main__":
    main()
