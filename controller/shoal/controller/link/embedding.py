"""The embedded broker as its parent sees it: a child told on a pipe whom to let in."""

import asyncio
import contextlib
import json
import secrets
import sys
from collections.abc import Mapping
from typing import Any

from shoal.controller.link import credentials
from shoal.controller.link.addresses import Address
from shoal.controller.link.child import Child, Program
from shoal.controller.link.mqtt import BusAccount

_USER = "_controller"  # no DNS label, so no device can have this name
_ANSWER_S = 3.0


class EmbeddedBroker:
    """See `shoal.controller.link.broker.Broker`."""

    kind = "embedded"

    def __init__(self, address: Address) -> None:
        self.address = address
        self._password = secrets.token_urlsafe(32)
        self.account = BusAccount(address=address, user=_USER, password=self._password)
        self._secrets: dict[str, str] = {}
        self._admitting = asyncio.Lock()
        self._answered = asyncio.Event()
        self.child = Child(
            Program(
                name="embedded broker",
                spawn=self._spawn,
                stream=_output,
                is_ready=lambda line: '"ready"' in line,
                on_line=self._heard,
                greet=self._greet,
            )
        )

    async def start(self, known: Mapping[str, str]) -> None:
        """See `Broker.start`."""
        self._secrets = dict(known)
        await self.child.start()

    async def admit(self, device: str, secret: str | None) -> None:
        """See `Broker.admit`."""
        async with self._admitting:
            if self._secrets.get(device) == secret:
                return
            if secret is None:
                del self._secrets[device]
            else:
                self._secrets[device] = secret
            process = self.child.process
            if process is None:
                return  # its next start is told everything
            self._answered.clear()
            with contextlib.suppress(ConnectionError, TimeoutError):
                await _tell(process, {"device": device, "secret": secret})
                await asyncio.wait_for(self._answered.wait(), _ANSWER_S)

    async def close(self) -> None:
        """See `Broker.close`."""
        await self.child.close()

    async def _spawn(self) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "shoal.controller.link.embedded",
            self.address.host,
            str(self.address.port),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is ours to handle: it goes when we say so
        )

    async def _greet(self, process: asyncio.subprocess.Process) -> None:
        secret = credentials.hash_secret(self._password)
        await _tell(process, {"controller": _USER, "secret": secret, "devices": self._secrets})

    def _heard(self, line: str) -> None:
        if '"done"' in line:
            self._answered.set()


def _output(process: asyncio.subprocess.Process) -> asyncio.StreamReader:
    assert process.stdout is not None
    return process.stdout


async def _tell(process: asyncio.subprocess.Process, command: dict[str, Any]) -> None:
    assert process.stdin is not None
    process.stdin.write(f"{json.dumps(command)}\n".encode())
    await process.stdin.drain()
