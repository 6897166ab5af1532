"""The process of the embedded broker: `python -m shoal.controller.link.embedded HOST PORT`.

Reads one JSON object a line from stdin, answers each with one on stdout, and ends with its stdin,
so it never outlives the controller. The first line names the controller's account and all devices:
`{"controller": user, "secret": stored, "devices": {device: stored}}`; each later one admits or
expels a device: `{"device": name, "secret": stored or null}`.
"""

import asyncio
import json
import logging
import sys
from typing import Any

from shoal.controller.link.fence import Fences, SafeBroker


async def main(host: str, port: int) -> None:
    """Serve until stdin ends."""
    loop = asyncio.get_running_loop()
    commands = asyncio.StreamReader(limit=1 << 26)  # the first line holds every device
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    first = await _next(commands)
    if first is None:
        return
    fences = Fences(first["controller"], first["secret"])
    for device, secret in first["devices"].items():
        fences.admit(device, secret)
    broker = SafeBroker(host, port, fences)
    await broker.start()
    _say({"ready": True})
    while (command := await _next(commands)) is not None:
        if command["secret"] is None:
            await broker.expel(command["device"])
        else:
            fences.admit(command["device"], command["secret"])
        _say({"done": command["device"]})
    await broker.shutdown()


async def _next(commands: asyncio.StreamReader) -> dict[str, Any] | None:
    line = await commands.readline()
    if not line:
        return None
    command: dict[str, Any] = json.loads(line)
    return command


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.write(f"{json.dumps(answer)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    # Refused log-ins and broken packets are a peer's doing, not news; what is ours is an error.
    logging.basicConfig(level=logging.ERROR, format="embedded broker: %(message)s")
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
