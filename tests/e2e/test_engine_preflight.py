"""The preflight of a candidate in its child: what passes, and every way to be refused."""

import asyncio
import contextlib
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shoal.agent.core.ports import ProbeRequest, ProbeResult
from shoal.agent.errors import ProbeError
from shoal.agent.runtime.preflight import PreflightChild
from shoal.contract.assignment import Preflight
from shoal.contract.budget import Budget
from shoal.contract.limits import MIB
from shoal.contract.reason import Reason
from tests.e2e.engines import until
from tests.unit.agent_serve import models

ROWS = np.array([[9, 0, 0, 0], [0, 9, 0, 0], [0, 0, 9, 0], [0, 9, 1, 0]], np.float32)
ANSWERS = (0, 1, 2, 1)  # of `models.pick` on ROWS


def a_probe(folder: Path, candidate: Path, **changes: Any) -> ProbeRequest:
    golden, reference = folder / "golden.npz", folder / "reference.npz"
    np.savez(golden, x=ROWS, y=np.array(ANSWERS))
    np.savez(reference, answers=np.array(ANSWERS, np.int32), outputs=ROWS[:, :3])
    values: dict[str, Any] = {
        "candidate": candidate,
        "active": None,
        "golden": golden,
        "reference": reference,
        "limits": Preflight(),
    }
    return ProbeRequest(**{**values, **changes})


def probe(request: ProbeRequest, timeout_s: float = 60) -> ProbeResult:
    return asyncio.run(PreflightChild(timeout_s).probe(request))


def refusal(request: ProbeRequest, timeout_s: float = 60) -> ProbeError:
    with pytest.raises(ProbeError) as caught:
        probe(request, timeout_s)
    return caught.value


def test_a_good_candidate_passes_with_its_figures(tmp_path: Path) -> None:
    passed = probe(a_probe(tmp_path, models.pick(tmp_path / "m")))
    assert passed.result.agreement == 1.0
    assert 0 < passed.result.p50_ms <= passed.result.p95_ms
    assert passed.result.peak_memory_bytes > 0
    assert passed.result.load_ms > 0
    assert passed.result.active_p95_ms is None
    assert passed.result.latency_ratio is None
    assert passed.active_answers == ()


def test_beside_an_active_variant_both_are_measured_and_its_answers_come_along(
    tmp_path: Path,
) -> None:
    active = models.always(tmp_path / "a", 2)
    passed = probe(a_probe(tmp_path, models.pick(tmp_path / "m"), active=active))
    assert passed.active_answers == (2, 2, 2, 2)
    assert passed.result.active_p95_ms is not None
    assert passed.result.active_p95_ms > 0
    assert passed.result.latency_ratio is not None


def test_a_fixed_batch_of_one_is_fed_row_by_row(tmp_path: Path) -> None:
    passed = probe(a_probe(tmp_path, models.pick(tmp_path / "m", batch=1)))
    assert passed.result.agreement == 1.0


def test_without_golden_set_loading_latency_and_memory_are_checked(tmp_path: Path) -> None:
    request = a_probe(tmp_path, models.pick(tmp_path / "m"), golden=None, reference=None)
    assert probe(request).result.agreement == 1.0


def test_an_active_variant_that_does_not_load_does_not_stop_the_candidate(tmp_path: Path) -> None:
    active = tmp_path / "broken"
    active.write_bytes(b"broken")
    passed = probe(a_probe(tmp_path, models.pick(tmp_path / "m"), active=active))
    assert passed.active_answers == ()


def test_other_answers_than_the_reference_are_refused(tmp_path: Path) -> None:
    refused = refusal(a_probe(tmp_path, models.always(tmp_path / "m", 1)))
    assert refused.reason is Reason.PARITY_FAILED
    assert refused.result is not None
    assert refused.result.agreement == 0.5  # rows two and four are of class 1


def test_a_memory_budget_is_held(tmp_path: Path) -> None:
    limits = Preflight(budget=Budget(memory_bytes=1000))
    refused = refusal(a_probe(tmp_path, models.pick(tmp_path / "m"), limits=limits))
    assert refused.reason is Reason.MEMORY_EXCEEDED
    assert refused.result is not None
    assert str(refused.result.peak_memory_bytes) in refused.message


def test_a_latency_budget_is_held(tmp_path: Path) -> None:
    limits = Preflight(budget=Budget(latency_p95_ms=1e-6))
    refused = refusal(a_probe(tmp_path, models.pick(tmp_path / "m"), limits=limits))
    assert refused.reason is Reason.LATENCY_EXCEEDED
    assert refused.result is not None


def test_an_artifact_budget_is_held(tmp_path: Path) -> None:
    limits = Preflight(budget=Budget(artifact_bytes=10))
    refused = refusal(a_probe(tmp_path, models.pick(tmp_path / "m"), limits=limits))
    assert refused.reason is Reason.ARTIFACT_EXCEEDED


def test_a_candidate_much_slower_than_the_active_variant_is_refused(tmp_path: Path) -> None:
    # Ten thousand turns of a loop beside one small product: slower by orders of magnitude.
    slow = models.endless(tmp_path / "slow", turns=10_000)
    limits = Preflight(max_latency_ratio=1.5)
    refused = refusal(
        a_probe(tmp_path, slow, active=models.pick(tmp_path / "m"), reference=None, limits=limits)
    )
    assert refused.reason is Reason.LATENCY_EXCEEDED
    assert refused.result is not None
    assert refused.result.latency_ratio is not None
    assert refused.result.latency_ratio > 1.5


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_bytes(b"broken")
    refused = refusal(a_probe(tmp_path, broken))
    assert refused.reason is Reason.LOAD_FAILED
    assert refused.result is None


def test_a_golden_set_of_other_inputs_is_refused(tmp_path: Path) -> None:
    refused = refusal(a_probe(tmp_path, models.labelled(tmp_path / "m")))
    assert refused.reason is Reason.BAD_DATA
    assert "'a'" in refused.message


def test_a_golden_set_with_objects_in_it_is_refused(tmp_path: Path) -> None:
    golden = tmp_path / "objects.npz"
    np.savez(golden, x=np.array([{"run": "code"}], dtype=object))
    refused = refusal(a_probe(tmp_path, models.pick(tmp_path / "m"), golden=golden))
    assert refused.reason is Reason.BAD_DATA


def test_a_candidate_far_above_its_memory_budget_is_stopped(tmp_path: Path) -> None:
    gluttonous = models.huge(tmp_path / "m", elements=4 * 1024 * MIB)
    limits = Preflight(budget=Budget(memory_bytes=MIB))
    refused = refusal(a_probe(tmp_path, gluttonous, reference=None, limits=limits))
    assert refused.reason in {Reason.LOAD_FAILED, Reason.CRASHED}


def test_a_candidate_that_hangs_is_killed(tmp_path: Path) -> None:
    refused = refusal(a_probe(tmp_path, models.endless(tmp_path / "m")), timeout_s=2)
    assert refused.reason is Reason.TIMED_OUT
    assert children() == set()


def test_a_candidate_that_crashes_is_reported_with_the_signal(tmp_path: Path) -> None:
    async def main() -> None:
        request = a_probe(tmp_path, models.endless(tmp_path / "m"))
        probing = asyncio.create_task(PreflightChild().probe(request))
        await until(lambda: bool(children()))
        for child in children():
            os.kill(child, signal.SIGSEGV)
        with pytest.raises(ProbeError) as caught:
            await probing
        assert caught.value.reason is Reason.CRASHED
        assert "SIGSEGV" in caught.value.message

    asyncio.run(main())


def test_a_cancelled_probe_leaves_no_child(tmp_path: Path) -> None:
    async def main() -> None:
        request = a_probe(tmp_path, models.endless(tmp_path / "m"))
        probing = asyncio.create_task(PreflightChild().probe(request))
        await until(lambda: bool(children()))
        probing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await probing
        assert children() == set()

    asyncio.run(main())


def children() -> set[int]:
    """Processes of this one that run a preflight."""
    found = set()
    for listing in Path("/proc/self/task").glob("*/children"):
        for pid in listing.read_text(encoding="ascii").split():
            with contextlib.suppress(OSError):
                if b"preflight" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    found.add(int(pid))
    return found
