"""What this machine can do, read from the kernel and from installed packages' metadata.

No engine is imported here: they belong to the engine process, and a profile is wanted before one
runs. The CPU provider is the one that every build of onnxruntime has.
"""

import importlib.metadata
import os
import platform
import shutil
from pathlib import Path

from shoal.contract.profile import ISA_FEATURES, HardwareProfile

CPUINFO = Path("/proc/cpuinfo")
MEMINFO = Path("/proc/meminfo")

# Engine → the package that it is installed as.
ENGINES = {"onnxruntime": "onnxruntime", "litert": "ai-edge-litert"}
PROVIDERS = ("CPUExecutionProvider",)


def measure(state_dir: Path) -> HardwareProfile:
    """The profile of this machine; free disk is that of the file system under `state_dir`."""
    cpuinfo = _read(CPUINFO)
    return HardwareProfile(
        arch=platform.machine(),
        cpu=cpu_name(cpuinfo),
        cores=len(os.sched_getaffinity(0)),
        memory_bytes=memory_bytes(_read(MEMINFO)),
        disk_free_bytes=shutil.disk_usage(_existing(state_dir)).free,
        isa=isa(cpuinfo),
        engines=_engines(),
        providers=PROVIDERS,
    )


def isa(cpuinfo: str) -> tuple[str, ...]:
    """The features of `ISA_FEATURES` that every core in `/proc/cpuinfo` has, sorted.

    x86 calls the line `flags`, ARM `Features`. Cores may differ (big.LITTLE), so they are
    intersected: a kernel may be scheduled on any of them.
    """
    cores = [
        frozenset(text.split())
        for line in cpuinfo.splitlines()
        if (name := line.partition(":")[0].strip()) in {"flags", "Features"}
        for text in (line.partition(":")[2],)
        if name
    ]
    return tuple(sorted(frozenset.intersection(*cores) & ISA_FEATURES)) if cores else ()


def cpu_name(cpuinfo: str) -> str:
    """The processor's name for people: x86 `model name`, else the board's `Model` or `Hardware`."""
    for wanted in ("model name", "Model", "Hardware"):
        for line in cpuinfo.splitlines():
            name, _, text = line.partition(":")
            if name.strip() == wanted and text.strip():
                return text.strip()
    return platform.processor() or platform.machine()


def memory_bytes(meminfo: str) -> int:
    """Total memory in `/proc/meminfo`; 0 where it does not say."""
    for line in meminfo.splitlines():
        name, _, text = line.partition(":")
        if name == "MemTotal":
            return int(text.split()[0]) * 1024
    return 0


def _engines() -> tuple[tuple[str, str], ...]:
    found = []
    for name, package in ENGINES.items():
        try:
            found.append((name, importlib.metadata.version(package)))
        except importlib.metadata.PackageNotFoundError:
            continue
    return tuple(found)


def _existing(path: Path) -> Path:
    """The nearest folder that exists: a fresh state folder is created later than it is measured."""
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
