"""What a hostile child would try; run by the tests of the sandbox."""

import ctypes
import json
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

Answer = dict[str, Any]


def main() -> None:
    spec = json.load(sys.stdin)
    answer: Answer = {}
    for call in spec["calls"]:
        answer |= CALLS[call](spec)
    sys.stdout.write(json.dumps(answer))


def attempt(action: Callable[[], object], done: str) -> str:
    try:
        action()
    except (OSError, MemoryError) as error:
        return type(error).__name__
    return done


def write(spec: Answer) -> Answer:
    def put(name: str) -> str:
        return attempt(lambda: Path(spec[name]).write_text("x"), "written")

    return {name: put(name) for name in ("inside", "outside")}


def connect(_: Answer) -> Answer:
    def reach() -> None:
        with socket.socket() as one:
            one.settimeout(5)
            one.connect(("127.0.0.1", 9))

    return {"connect": attempt(reach, "done")}


def send_signal(_: Answer) -> Answer:
    return {"signal": attempt(lambda: os.kill(os.getppid(), signal.SIGURG), "done")}


def environment(_: Answer) -> Answer:
    return {name: os.environ.get(name) for name in ("SHOAL_TOKEN", "MY_SETTING")}


def crash(_: Answer) -> Answer:
    return {"crash": ctypes.string_at(0)}


def spin(_: Answer) -> Answer:
    while True:
        pass


def fill(_: Answer) -> Answer:
    Path("large").write_bytes(b"x" * 2**22)
    return {}


def fail(_: Answer) -> Answer:
    raise ValueError("no good")


def leave(_: Answer) -> Answer:
    os._exit(0)


def talk(_: Answer) -> Answer:
    sys.stdout.write("no JSON at all ")
    return {}


def grow(_: Answer) -> Answer:
    return {"grow": attempt(lambda: bytearray(2**33), "done")}


CALLS: dict[str, Callable[[Answer], Answer]] = {
    "write": write,
    "connect": connect,
    "signal": send_signal,
    "environment": environment,
    "crash": crash,
    "spin": spin,
    "fill": fill,
    "fail": fail,
    "leave": leave,
    "talk": talk,
    "grow": grow,
}
