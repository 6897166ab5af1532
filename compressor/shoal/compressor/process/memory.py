"""How much memory a worker may take: nine tenths of what the machine has left, or what was asked.

Sources: MemAvailable of proc(5); memory.max and memory.current of the kernel's cgroup v2 document.
"""

from pathlib import Path
from typing import Final

_SHARE: Final = 0.9
_LEAST_BYTES: Final = 512 << 20  # torch alone takes half of this to import
_CGROUP: Final = Path("/sys/fs/cgroup")


def allowance_bytes(asked: int | None) -> int:
    """`asked`, or nine tenths of what is available; example: 10 GiB left allow 9 GiB."""
    if asked is not None:
        return asked
    return max(round(_available_bytes() * _SHARE), _LEAST_BYTES)


def _available_bytes() -> int:
    fields = dict(
        line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines() if ":" in line
    )
    free = int(fields["MemAvailable"].split()[0]) * 1024
    return min(free, _cgroup_left_bytes(free))


def _cgroup_left_bytes(otherwise: int) -> int:
    try:
        most = (_CGROUP / "memory.max").read_text().strip()
        used = int((_CGROUP / "memory.current").read_text())
    except (OSError, ValueError):
        return otherwise
    return otherwise if most == "max" else max(int(most) - used, 0)
