"""Which broker serves, on which port, and that none is ever left behind."""

import asyncio
import os
import random
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from shoal.agent.link.factory import LinkKind, open_link
from shoal.agent.link.identity import Identity
from shoal.contract.problem import FailedError, InvalidError
from shoal.contract.reason import Reason
from shoal.controller.link import addresses, broker, mosquitto
from shoal.controller.link.addresses import Address
from shoal.controller.link.child import Child, Program
from shoal.controller.link.embedding import EmbeddedBroker
from shoal.controller.link.mosquitto import MosquittoBroker
from tests.links.stage import Stage, until

ANY = Address(host="127.0.0.1", port=0)


@pytest.fixture
def no_mosquitto(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(mosquitto, "_PLACES", ())


@pytest.mark.needs_program("mosquitto", package="mosquitto")
@pytest.mark.parametrize("option", ["auto", "mosquitto"])
def test_mosquitto_is_preferred(tmp_path: Path, option: str) -> None:
    assert isinstance(broker.choose(option, ANY, tmp_path), MosquittoBroker)


@pytest.mark.usefixtures("no_mosquitto")
def test_without_mosquitto_the_embedded_broker_serves_this_machine(tmp_path: Path) -> None:
    chosen = broker.choose("auto", ANY, tmp_path)
    assert isinstance(chosen, EmbeddedBroker)
    assert chosen.address.port > 0


@pytest.mark.usefixtures("no_mosquitto")
def test_mosquitto_asked_for_and_absent_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match="no mosquitto 2") as refused:
        broker.choose("mosquitto", ANY, tmp_path)
    assert "apt install mosquitto" in str(refused.value.problem.hint)


def test_an_old_mosquitto_counts_as_absent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    old = tmp_path / "mosquitto"
    old.write_text("#!/bin/sh\necho mosquitto version 1.6.9\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert mosquitto.find() is None


def test_the_embedded_broker_refuses_other_machines(tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match="this machine alone") as refused:
        broker.choose("embedded", Address(host="0.0.0.0", port=0), tmp_path)
    assert refused.value.problem.field == "--mqtt-listen"
    assert refused.value.exit_code == 2


def test_off_is_no_broker(tmp_path: Path) -> None:
    assert broker.choose("off", ANY, tmp_path) is None


def test_a_broker_that_others_run_is_named_by_its_url(tmp_path: Path) -> None:
    chosen = broker.choose("mqtt://me:p%40ss@broker.example:1884", ANY, tmp_path)
    assert chosen is not None
    assert str(chosen.address) == "broker.example:1884"
    assert (chosen.account.user, chosen.account.password) == ("me", "p@ss")


@pytest.mark.parametrize("option", ["mosquito", "http://x", "mqtt://", "mqtt://host:port"])
def test_what_names_no_broker_is_refused(tmp_path: Path, option: str) -> None:
    with pytest.raises(InvalidError, match="must be auto, mosquitto, embedded, off or a URL"):
        broker.choose(option, ANY, tmp_path)


@pytest.mark.parametrize("option", ["embedded", "auto"])
def test_a_broker_port_in_use_is_named(tmp_path: Path, option: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(FailedError, match=str(port)) as refused:
            broker.choose(option, Address(host="127.0.0.1", port=port), tmp_path)
    assert refused.value.problem.reason == Reason.PORT_IN_USE
    assert refused.value.problem.field == "--mqtt-listen"


def test_a_second_controller_on_the_same_port_is_refused(stage: Stage, tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        async with stage.side("off") as side:
            with pytest.raises(FailedError, match="in use") as refused:
                async with Stage(tmp_path / "second").side("embedded", listen=side.listen):
                    pass
            assert refused.value.problem.field == "--listen-devices"

    stage.run(scenario)


@pytest.mark.parametrize("text", ["8471", "host:", ":1", "a:b", "a:70000", ""])
def test_an_address_must_be_host_and_port(text: str) -> None:
    with pytest.raises(InvalidError, match="HOST:PORT"):
        addresses.parse(text, "--listen-devices")


def test_an_address_that_is_not_ours_is_refused() -> None:
    with pytest.raises(InvalidError, match="cannot listen"):
        addresses.free(Address(host="203.0.113.1", port=0), "--listen-devices")


def test_addresses_read_as_they_are_written() -> None:
    assert str(addresses.parse("[::1]:80", "x")) == "[::1]:80"
    assert addresses.parse("[::1]:80", "x").is_loopback
    assert addresses.parse("localhost:1", "x").is_loopback
    assert not addresses.parse("10.0.0.1:1", "x").is_loopback


def test_mqtt_alone_needs_a_broker() -> None:
    identity = Identity(device="a", secret="s", server="h:1", broker="", namespace="default")
    with pytest.raises(InvalidError, match="no MQTT broker"):
        open_link(LinkKind.MQTT, identity, random.Random(0))


def test_devices_that_joined_before_the_broker_started_are_let_in(
    stage: Stage, broker_kind: str
) -> None:
    async def scenario(stage: Stage) -> None:
        async with stage.side(broker_kind) as side:
            identity = await side.enrol("dev-a")
            await side.stop()
            await side.start()
            async with stage.link(LinkKind.MQTT, identity) as link:
                assert (await anext(link.desired())).device == "dev-a"

    stage.run(scenario)


def test_a_program_that_does_not_start_is_told_with_its_last_words() -> None:
    async def spawn() -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-c", "print('no such luck')", stdout=asyncio.subprocess.PIPE
        )

    async def greet(_process: asyncio.subprocess.Process) -> None: ...

    def output(process: asyncio.subprocess.Process) -> asyncio.StreamReader:
        assert process.stdout is not None
        return process.stdout

    program = Program(
        name="luck",
        spawn=spawn,
        stream=output,
        is_ready=lambda _line: False,
        on_line=lambda _line: None,
        greet=greet,
    )
    with pytest.raises(FailedError, match="luck did not start: no such luck"):
        asyncio.run(Child(program).start())


def test_a_broker_dies_with_its_controller_however_that_dies(
    stage: Stage, broker_kind: str
) -> None:
    controller = textwrap.dedent(
        f"""
        import asyncio
        from pathlib import Path
        from shoal.controller.link import broker
        from shoal.controller.link.addresses import Address

        async def main():
            chosen = broker.choose(
                {broker_kind!r}, Address(host="127.0.0.1", port=0), Path({str(stage.data)!r})
            )
            await chosen.start({{}})
            print(chosen.child.process.pid, flush=True)
            await asyncio.sleep(60)

        asyncio.run(main())
        """
    )
    with subprocess.Popen(
        [sys.executable, "-c", controller], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        assert _alive(child)
        process.send_signal(signal.SIGKILL)

    async def scenario(_: Stage) -> None:
        await until(lambda: not _alive(child))

    stage.run(scenario)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
