"""Mosquitto as a child: configuration, password and ACL files, and reloads when devices join.

Each device is fenced into its own subtree by name (`%u` patterns), and its client id is its user
name whatever it claims, so nobody can take over another's connection.
"""

import asyncio
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from shoal.contract import topics
from shoal.contract.limits import MQTT_PACKET_BYTES
from shoal.controller.link import credentials, tether
from shoal.controller.link.addresses import Address
from shoal.controller.link.child import Child, Program
from shoal.controller.link.mqtt import BusAccount

_USER = "_controller"  # no DNS label, so no device can have this name
_PLACES = ("/usr/sbin", "/usr/local/sbin")
_RELOAD_S = 3.0
_OLDEST_MAJOR = 2


def find() -> Path | None:
    """A mosquitto of version 2 or later, from PATH or where distributions put servers."""
    path = os.pathsep.join((os.environ.get("PATH", ""), *_PLACES))
    found = shutil.which("mosquitto", path=path)
    if found is None:
        return None
    told = subprocess.run([found, "-h"], capture_output=True, text=True, check=False, timeout=10)
    version = re.search(r"mosquitto version (\d+)\.", told.stdout)
    return Path(found) if version and int(version[1]) >= _OLDEST_MAJOR else None


class MosquittoBroker:
    """See `shoal.controller.link.broker.Broker`."""

    kind = "mosquitto"

    def __init__(self, program: Path, address: Address, folder: Path) -> None:
        self.address = address
        self._password = secrets.token_urlsafe(32)
        self.account = BusAccount(address=address, user=_USER, password=self._password)
        self._program = program
        self._folder = folder
        self._secrets: dict[str, str] = {}
        self._reloading = asyncio.Lock()
        self._reloaded = asyncio.Event()
        self.child = Child(
            Program(
                name="mosquitto",
                spawn=self._spawn,
                stream=_errors,
                is_ready=lambda line: line.endswith(" running"),
                on_line=self._heard,
                greet=_say_nothing,
            )
        )

    async def start(self, known: Mapping[str, str]) -> None:
        """See `Broker.start`."""
        self._secrets = dict(known)
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write(self._folder / "mosquitto.conf", self._configuration())
        _write(self._folder / "acl", _fences())
        self._write_passwords()
        await self.child.start()

    async def admit(self, device: str, secret: str | None) -> None:
        """See `Broker.admit`."""
        async with self._reloading:
            if self._secrets.get(device) == secret:
                return
            if secret is None:
                del self._secrets[device]
            else:
                self._secrets[device] = secret
            self._write_passwords()
            await self._reload()

    async def close(self) -> None:
        """See `Broker.close`."""
        await self.child.close()

    async def _reload(self) -> None:
        process = self.child.process
        if process is None or process.returncode is not None:
            return  # its next start reads the files
        self._reloaded.clear()
        process.send_signal(signal.SIGHUP)
        # Mosquitto reloads between two packets: after the line below, the next login sees the file.
        try:
            await asyncio.wait_for(self._reloaded.wait(), _RELOAD_S)
        except TimeoutError:
            return  # it is busy, or crashed: devices try again with their own back-off

    def _heard(self, line: str) -> None:
        if "Reloading config" in line:
            self._reloaded.set()

    async def _spawn(self) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            "-S",
            tether.__file__,
            str(os.getpid()),
            str(self._program),
            "-c",
            str(self._folder / "mosquitto.conf"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is ours to handle: it goes when we say so
        )

    def _write_passwords(self) -> None:
        controller = f"{_USER}:{credentials.hash_secret(self._password)}"
        devices = [f"{device}:{secret}" for device, secret in sorted(self._secrets.items())]
        _write(self._folder / "passwords", "\n".join((controller, *devices, "")))

    def _configuration(self) -> str:
        lines = [
            "per_listener_settings false",
            "allow_anonymous false",
            f"password_file {self._folder / 'passwords'}",
            f"acl_file {self._folder / 'acl'}",
            "persistence false",
            "retain_available false",
            "sys_interval 0",
            f"max_packet_size {MQTT_PACKET_BYTES}",
            "max_inflight_messages 64",
            "max_queued_messages 4000",
            "set_tcp_nodelay true",
            "connection_messages false",
            "log_dest stderr",
            "log_timestamp false",
            *(f"log_type {kind}" for kind in ("error", "warning", "notice", "information")),
            f"listener {self.address.port} {self.address.host}",
            "use_username_as_clientid true",
        ]
        if os.geteuid() == 0:
            # Mosquitto would become the user `mosquitto`, who may not read our files.
            lines.append("user root")
        return "\n".join((*lines, ""))


def _fences() -> str:
    # %u is the user name that mosquitto has checked.
    own = f"{topics.ROOT}/%u"
    return "\n".join(
        (
            f"user {_USER}",
            f"topic read {topics.up_filter()}",
            f"topic write {topics.ROOT}/+/down/+",
            f"pattern write {own}/up/+",
            f"pattern read {own}/down/+",
            "",
        )
    )


def _errors(process: asyncio.subprocess.Process) -> asyncio.StreamReader:
    assert process.stderr is not None
    return process.stderr


async def _say_nothing(_process: asyncio.subprocess.Process) -> None:
    """Mosquitto reads its files."""


def _write(path: Path, text: str) -> None:
    """In one step, so that a reload never reads half a file."""
    partial = path.with_name(f"{path.name}.partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    partial.replace(path)
