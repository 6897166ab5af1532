"""The first thing a child runs: `python -m shoal.compressor.sources.cell MODULE LIMITS FOLDER`.

Shuts itself in, then imports MODULE and calls its `main`. Nothing heavy may be imported before,
because threads that already run stay outside. Where FOLDER is given, the process can write nowhere
else, reach no network and signal nobody: by Landlock and a network namespace, as far as the kernel
has them and lets an ordinary user have them; without them the limits alone remain.
"""

import contextlib
import ctypes
import importlib
import json
import os
import resource
import signal
import struct
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_CREATE_RULESET: Final = 444  # Landlock's system calls, the same numbers on every architecture
_ADD_RULE: Final = 445
_RESTRICT_SELF: Final = 446
_VERSION_FLAG: Final = 1
_PATH_BENEATH: Final = 1
_NO_NEW_PRIVILEGES: Final = 38
_PARENT_DEATH_SIGNAL: Final = 1
_NEW_USER: Final = 0x10000000
_NEW_NETWORK: Final = 0x40000000
_WRITE_FILE: Final = 1 << 1
_ALL_TCP: Final = 0b11
_ALL_SCOPES: Final = 0b11  # abstract sockets and signals


def main() -> None:
    """Limits, walls, and then the module that does the work."""
    module, limits, folder = sys.argv[1:4]
    with contextlib.suppress(OSError):
        _call("prctl", _PARENT_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    _limit(json.loads(limits))
    if folder:
        with contextlib.suppress(OSError):
            _leave_network()
        with contextlib.suppress(OSError):
            _wall_in(Path(folder))
    importlib.import_module(module).main()


def _limit(most: Mapping[str, int]) -> None:
    """Sets limits by the names of `resource`; nothing can raise them again."""
    for name, value in most.items():
        what = getattr(resource, name)
        _, hard = resource.getrlimit(what)
        least = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(what, (least, least))


def _leave_network() -> None:
    """A network namespace without interfaces: as root by itself, else inside one of users."""
    try:
        _call("unshare", _NEW_NETWORK)
    except OSError:
        user, group = os.getuid(), os.getgid()
        _call("unshare", _NEW_NETWORK | _NEW_USER)
        for name, text in (
            ("setgroups", "deny"),
            ("uid_map", f"{user} {user} 1"),
            ("gid_map", f"{group} {group} 1"),
        ):
            Path(f"/proc/self/{name}").write_text(text)


def landlock_version() -> int:
    """What this kernel offers: 1 guards files, 4 also TCP, 6 also signals; 0 is nothing."""
    try:
        return _call("syscall", _CREATE_RULESET, None, 0, _VERSION_FLAG)
    except OSError:
        return 0


def _wall_in(folder: Path) -> None:
    """Landlock (docs.kernel.org/userspace-api/landlock.html): writes beneath `folder` alone."""
    version = landlock_version()
    if version == 0:
        return
    writes = _writes(version)
    ruleset = struct.pack("=QQQ", writes, _ALL_TCP * (version >= 4), _ALL_SCOPES * (version >= 6))
    known = 24 if version >= 6 else 16 if version >= 4 else 8
    rules = _call("syscall", _CREATE_RULESET, ctypes.c_char_p(ruleset), known, 0)
    for path, allowed in ((folder, writes), (Path("/dev/null"), _WRITE_FILE)):
        descriptor = os.open(path, os.O_PATH)
        rule = struct.pack("=Qi", allowed, descriptor)
        _call("syscall", _ADD_RULE, rules, _PATH_BENEATH, ctypes.c_char_p(rule), 0)
        os.close(descriptor)
    _call("prctl", _NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    _call("syscall", _RESTRICT_SELF, rules, 0)
    os.close(rules)


def _writes(version: int) -> int:
    """Everything that changes files, as far as this kernel's version knows it.

    Bit 1 writes a file, 4 to 12 remove and make entries, 13 moves between folders (version 2),
    14 truncates (version 3).
    """
    bits = [1, *range(4, 13)] + [13] * (version >= 2) + [14] * (version >= 3)
    return sum(1 << bit for bit in bits)


def _call(name: str, *arguments: object) -> int:
    """A function of libc that sets errno.

    Raises:
        OSError: it returned -1.
    """
    library = ctypes.CDLL(None, use_errno=True)
    returned: int = getattr(library, name)(*arguments)
    if returned == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return returned


if __name__ == "__main__":
    main()
