"""The fresh process whose memory is measured: MODEL, FEED.npz, threads and runs as arguments.

Prints `{"runtime_rss_bytes", "peak_bytes", "stage_bytes"}`: its RSS right after importing the
runtime, its VmHWM after loading the model and running it (contracts: section 3, budget), and for a
staged variant the VmHWM of each stage in one more run.
"""

import contextlib
import json
import resource
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime  # noqa: F401 - its memory counts as the runtime's

from shoal.compressor.artifacts import Format, format_of
from shoal.compressor.evaluate import runner

_CPU_SECONDS: Final = 120  # an orphan of a killed search ends by itself


def main() -> None:
    """Measures, and prints one line of JSON."""
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
    model, feed_path, threads, runs = sys.argv[1:5]
    if format_of(Path(model)) is Format.TFLITE:
        import ai_edge_litert.interpreter  # noqa: F401, PLC0415 - its memory counts as the runtime's
    runtime_rss_bytes = _status_bytes("VmRSS")
    with np.load(feed_path, allow_pickle=False) as archive:
        feed = {name: archive[name] for name in archive.files}
    opened = runner.open_file(Path(model), int(threads))
    for _ in range(int(runs)):
        opened.run(None, feed)
    figures = {
        "runtime_rss_bytes": runtime_rss_bytes,
        "peak_bytes": _status_bytes("VmHWM"),
        "stage_bytes": _stage_peaks(opened, feed),
    }
    sys.stdout.write(json.dumps(figures))


def _stage_peaks(opened: runner.Runner, feed: dict[str, Any]) -> list[int]:
    from shoal.engines import staged  # noqa: PLC0415 - not part of other models' memory

    if not isinstance(opened, staged.StagedRunner):
        return []
    peaks: list[int] = []

    def observe() -> None:
        peaks.append(_status_bytes("VmHWM"))
        _forget_peak()

    opened.observe_stage = observe
    _forget_peak()
    opened.run(None, feed)
    return peaks


def _forget_peak() -> None:
    """Lets VmHWM begin anew from the RSS of now (proc(5): 5 into clear_refs)."""
    with contextlib.suppress(OSError):  # a container may forbid it: peaks are then of all before
        Path("/proc/self/clear_refs").write_text("5", "ascii")


def _status_bytes(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/self/status has no {field}")


if __name__ == "__main__":
    main()
