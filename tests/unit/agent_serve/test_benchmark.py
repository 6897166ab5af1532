"""The micro-benchmark in its own process: a number in a moment, or nothing."""

import asyncio
import subprocess
import sys

from shoal.agent.runtime.benchmark import BenchmarkChild


def test_a_score_has_three_digits() -> None:
    score = asyncio.run(BenchmarkChild(timeout_s=60).score())
    assert score is not None
    assert score > 1
    assert score == float(f"{score:.3g}")


def test_one_that_takes_too_long_is_ended_and_says_nothing() -> None:
    assert asyncio.run(BenchmarkChild(timeout_s=0.001).score()) is None


def test_the_child_ends_where_its_parent_is_gone() -> None:
    run = (sys.executable, "-P", "-B", "-m", "shoal.agent.serve.benchmark", "1")
    ended = subprocess.run(run, capture_output=True, check=False)
    assert (ended.returncode, ended.stdout) == (1, b"")


def test_the_child_needs_no_engine() -> None:
    program = "import sys, shoal.agent.serve.benchmark; print('onnxruntime' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout == b"False\n"
