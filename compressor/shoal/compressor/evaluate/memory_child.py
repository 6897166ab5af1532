"""The fresh process whose memory is measured: MODEL, FEED.npz, threads and runs as arguments.

Prints `{"runtime_rss_bytes", "peak_bytes"}`: its RSS right after importing the runtime, and its
VmHWM after loading the model and running it (contracts: section 3, budget).
"""

import json
import resource
import sys
from pathlib import Path
from typing import Final

import numpy as np
import onnxruntime  # noqa: F401 - its memory counts as the runtime's

from shoal.compressor.evaluate import runner

_CPU_SECONDS: Final = 120  # an orphan of a killed search ends by itself


def main() -> None:
    """Measures, and prints one line of JSON."""
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
    runtime_rss_bytes = _status_bytes("VmRSS")
    model, feed_path, threads, runs = sys.argv[1:5]
    with np.load(feed_path, allow_pickle=False) as archive:
        feed = {name: archive[name] for name in archive.files}
    opened = runner.open_file(Path(model), int(threads))
    for _ in range(int(runs)):
        opened.run(None, feed)
    figures = {"runtime_rss_bytes": runtime_rss_bytes, "peak_bytes": _status_bytes("VmHWM")}
    sys.stdout.write(json.dumps(figures))


def _status_bytes(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/self/status has no {field}")


if __name__ == "__main__":
    main()
