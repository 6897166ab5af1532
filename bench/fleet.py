"""A controller with a large fleet that has reported: what benchmarks of the command line ask."""

import asyncio
import contextlib
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from shoal.contract import jsonform
from shoal.contract.profile import HardwareProfile
from shoal.contract.report import DeviceReport
from shoal.controller.store.database import open_sqlite
from shoal.controller.store.port import Put
from shoal.controller.store.sqlite import SqliteStore

_READY_S = 120.0
_POLL_S = 0.5
_QUIET_S = 3.0
_BATCH = 500
_HARDWARE = HardwareProfile(
    arch="x86_64",
    cpu="a cpu",
    cores=4,
    memory_bytes=1 << 30,
    disk_free_bytes=1 << 30,
    isa=("avx2", "fma"),
    engines=(("onnxruntime", "1.31.1"),),
    providers=("CPUExecutionProvider",),
)


@contextlib.contextmanager
def serving(folder: Path, devices: int) -> Iterator[str]:
    """The address of `shoal serve` with so many devices, once its passes have come to rest."""
    asyncio.run(_fill(folder / "shoal.db", devices))
    line = [sys.executable, "-m", "shoal.cli.main", "serve", "--data", str(folder), "--mqtt", "off"]
    line += ["--listen", "127.0.0.1:0", "--listen-devices", "127.0.0.1:0"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(line, stdout=log, stderr=log)
    try:
        address = _address(folder / "endpoints.json", process)
        _rest(address)
        yield address
    finally:
        process.terminate()
        process.wait(30)


async def _fill(path: Path, devices: int) -> None:
    database = await open_sqlite(path)
    store = SqliteStore(database)
    names = [f"device-{number:05}" for number in range(devices)]
    for start in range(0, devices, _BATCH):
        await store.commit([put for name in names[start : start + _BATCH] for put in _device(name)])
    await database.close()


def _device(name: str) -> Iterator[Put]:
    report = DeviceReport(
        device=name,
        boot_id="boot",
        sequence=1,
        agent_version="0.1.0",
        desired_version=0,
        hardware=_HARDWARE,
        serving_url="http://10.0.0.7:9000",
    )
    metadata = {"name": name, "namespace": "default", "labels": {"app": "reader", "site": name[:9]}}
    yield _put("Device", name, {"metadata": metadata, "spec": {}})
    observed = {"report": jsonform.to_json(report), "last_seen_ms": time.time() * 1000}
    yield _put("Observation", name, {**observed, "past_boots": []})


def _put(kind: str, name: str, data: dict[str, object]) -> Put:
    return Put(kind=kind, namespace="default", name=name, data=data, expected=None)


def _address(endpoints: Path, process: subprocess.Popen[bytes]) -> str:
    deadline = time.monotonic() + _READY_S
    while not endpoints.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the controller did not start: see {endpoints.parent / 'log'}")
        time.sleep(_POLL_S)
    return str(json.loads(endpoints.read_text())["http"])


def _rest(address: str) -> None:
    """Waits until the passes of the start have written all that they will."""
    deadline = time.monotonic() + _READY_S
    version, since = "", time.monotonic()
    while time.monotonic() - since < _QUIET_S:
        asked = f"{address}/api/v1/devices?limit=1"
        with urllib.request.urlopen(asked) as answer:  # noqa: S310 - our own address
            now = json.load(answer)["metadata"]["resourceVersion"]
        if now != version:
            version, since = now, time.monotonic()
        if time.monotonic() > deadline:
            raise RuntimeError("the controller does not come to rest")
        time.sleep(_POLL_S)
