"""What scouts found of a class's variants: from their answers to figures, and how it is kept.

Kept in the record of a model revision, under `scouting` by class: `open` is what goes on, `past`
what is over, `evidence` the answer of each device by variant.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from shoal.contract import jsonform
from shoal.contract.assignment import Preflight
from shoal.contract.digest import Digest
from shoal.contract.reason import Reason
from shoal.contract.report import TrialResult
from shoal.controller.domain.archive import Measured

# What is the variant's own fault, unlike a line that broke or a disk that is full.
_REFUSALS = frozenset(
    {
        Reason.LOAD_FAILED,
        Reason.CRASHED,
        Reason.TIMED_OUT,
        Reason.BAD_DATA,
        Reason.PARITY_FAILED,
    }
)
_PARITY = Preflight().min_agreement


def measured(kept: Mapping[str, Any]) -> tuple[Measured, ...]:
    """The evidence of one class; nothing of a variant of which no device could say anything."""
    found = (_worst(Digest(digest), answers(of)) for digest, of in kept.get("evidence", {}).items())
    return tuple(one for one in found if one is not None)


def answers(of: Mapping[str, Any]) -> list[TrialResult]:
    """What devices said of one variant, in order of their names."""
    return [jsonform.from_json(TrialResult, of[device]) for device in sorted(of)]


def figures(of: Mapping[str, Any]) -> dict[str, Any]:
    """The answers of one variant as its Variant's status shows them."""
    said = {device: jsonform.from_json(TrialResult, one) for device, one in sorted(of.items())}
    return {
        device: jsonform.to_json(one.result) | {"refusal": refusal(one)}
        if one.result
        else {"refusal": refusal(one) or one.message}
        for device, one in said.items()
    }


def refusal(result: TrialResult) -> str:
    """Why the variant does not do where this was measured; empty where it does."""
    if result.reason in _REFUSALS:
        return result.message or result.reason
    if result.result is not None and result.result.agreement < _PARITY:
        return f"agreement {result.result.agreement:.4f} is below {_PARITY:g}"
    return ""


def _worst(digest: Digest, said: Iterable[TrialResult]) -> Measured | None:
    """Every device of the class must be able to run it; one that is ill alone rules nothing out."""
    told = [(one.result, refusal(one)) for one in said]
    ran = [result for result, why in told if result is not None and not why]
    if ran:
        return Measured(
            digest=digest,
            devices=len(ran),
            latency_p95_ms=max(one.p95_ms for one in ran),
            peak_memory_bytes=max(one.peak_memory_bytes for one in ran),
        )
    refused = [why for _, why in told if why]
    return Measured(digest=digest, devices=len(refused), refusal=refused[0]) if refused else None
