"""The supervisor's side of the preflight: start the child, bound it, read its verdict.

The child is the only thing that may crash, hang or run out of memory on a candidate's account.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
from dataclasses import dataclass
from typing import Any

from shoal.agent.core.ports import ProbeRequest, ProbeResult
from shoal.agent.errors import ProbeError
from shoal.contract.jsonform import from_json, to_json
from shoal.contract.limits import MESSAGE_TEXT_CHARS, MIB
from shoal.contract.reason import Reason
from shoal.contract.report import PreflightResult

PROBE_S = 120.0  # wall clock, for slow flash and large golden sets
VERDICT_BYTES = 4 * MIB
# What the child may hold beside its model: the runtime's own share and the golden set.
_CPU_SLACK_S = 10
RUNTIME_BYTES = 512 * MIB
# A candidate some way above its budget is measured and refused with a number; far above it, it is
# stopped before the device suffers.
OVER_BUDGET = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ended:
    """How the child ended; `stderr` is the tail of what it said."""

    returncode: int
    stdout: bytes
    stderr: str


class PreflightChild:
    """Implements the port `shoal.agent.core.ports.Prober`; each probe is one fresh process."""

    def __init__(self, timeout_s: float = PROBE_S) -> None:
        self._timeout_s = timeout_s

    async def probe(self, request: ProbeRequest) -> ProbeResult:
        """Load, compare and measure a candidate.

        Raises:
            ProbeError: PARITY_FAILED, LATENCY_EXCEEDED, MEMORY_EXCEEDED or ARTIFACT_EXCEEDED with
                the figures; LOAD_FAILED, BAD_DATA, CRASHED or TIMED_OUT without.
        """
        order = {
            "parent": os.getpid(),
            "memory_bytes": _memory_bytes(request),
            # Above what the time limit lets its threads burn: that limit comes first and is named.
            "cpu_s": round(self._timeout_s * max(request.threads, 1)) + _CPU_SLACK_S,
            "request": to_json(request),
        }
        ended = await self._run(json.dumps(order).encode())
        verdict = _verdict(ended)
        result = verdict["result"]
        measured = None if result is None else from_json(PreflightResult, result)
        if verdict["reason"] or measured is None:
            raise ProbeError(Reason(verdict["reason"]), verdict["message"], measured)
        return ProbeResult(result=measured, active_answers=tuple(verdict["active_answers"]))

    async def _run(self, order: bytes) -> _Ended:
        # -B: the child may write no file, compiled modules included.
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-B", "-m", "shoal.agent.serve.preflight"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            process_group=0,  # Ctrl-C is the supervisor's to handle: it says nothing of a candidate
        )
        try:
            async with asyncio.timeout(self._timeout_s):
                stdout, stderr = await _converse(process, order)
                returncode = await process.wait()
        except TimeoutError:
            raise ProbeError(
                Reason.TIMED_OUT, f"the preflight did not end within {self._timeout_s:g} s"
            ) from None
        finally:
            if process.returncode is None:  # late, or nobody wants the answer any more
                process.kill()
                await process.wait()
        return _Ended(returncode=returncode, stdout=stdout, stderr=stderr)


async def _converse(process: asyncio.subprocess.Process, order: bytes) -> tuple[bytes, str]:
    if process.stdin is None or process.stdout is None or process.stderr is None:
        raise RuntimeError("the child was started without its pipes")
    with contextlib.suppress(ConnectionError):  # it died before it read all
        process.stdin.write(order)
        process.stdin.close()
    stdout, stderr = await asyncio.gather(
        _head(process.stdout, VERDICT_BYTES), _tail(process.stderr, MESSAGE_TEXT_CHARS // 2)
    )
    return stdout, stderr.decode(errors="replace").strip()


async def _head(stream: asyncio.StreamReader, limit_bytes: int) -> bytes:
    """Everything up to the limit; what comes after it is read and thrown away."""
    kept = bytearray()
    while part := await stream.read(65_536):
        kept += part[: limit_bytes - len(kept)]
    return bytes(kept)


async def _tail(stream: asyncio.StreamReader, limit_bytes: int) -> bytes:
    """The last bytes, in bounded memory."""
    kept = b""
    while part := await stream.read(65_536):
        kept = (kept + part)[-limit_bytes:]
    return kept


def _verdict(ended: _Ended) -> dict[str, Any]:
    if ended.returncode == 0:
        with contextlib.suppress(ValueError):
            verdict: dict[str, Any] = json.loads(ended.stdout)
            return verdict
    raise ProbeError(Reason.CRASHED, f"the preflight {_end(ended.returncode)}: {ended.stderr}")


def _end(returncode: int) -> str:
    """How a process ended, for people: -11 is `was ended by SIGSEGV`."""
    if returncode >= 0:
        return f"ended with {returncode} and no verdict"
    with contextlib.suppress(ValueError):
        return f"was ended by {signal.Signals(-returncode).name}"
    return f"was ended by signal {-returncode}"


def _memory_bytes(request: ProbeRequest) -> int:
    """Private memory that the child may take: 512 MiB and four budgets, else half the machine's."""
    budget = request.limits.budget.memory_bytes
    if budget is not None:
        return RUNTIME_BYTES + OVER_BUDGET * budget
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return RUNTIME_BYTES + physical // 2
