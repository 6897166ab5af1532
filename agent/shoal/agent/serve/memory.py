"""What this process holds of memory, read from the kernel."""

import os
from pathlib import Path

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def resident_bytes() -> int:
    """Resident memory now."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * _PAGE_BYTES


def peak_bytes() -> int:
    """The highest resident memory since the process began (VmHWM)."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        name, _, text = line.partition(":")
        if name == "VmHWM":
            return int(text.split()[0]) * 1024
    raise RuntimeError("/proc/self/status has no VmHWM line")
