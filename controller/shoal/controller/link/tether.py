"""Run a program that dies with its parent: `python tether.py PARENT_PID PROGRAM ARGUMENTS…`.

Becomes the program (same process id), after asking the kernel to kill it when the parent is gone,
however the parent went. SIGKILL: mosquitto 2.0 forgets a SIGTERM that comes while it starts, and
ours keeps nothing on disk. Standard library only: it is started by path, without the package.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # prctl(2); survives exec


def main(parent: int, command: list[str]) -> None:
    """Never returns: becomes `command`, or exits where the parent is gone already."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("the parent is gone")
    os.execv(command[0], command)  # noqa: S606 - the one purpose of this program


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
