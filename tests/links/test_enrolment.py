"""Joining over gRPC: tokens, names, labels, and what ends up where."""

import asyncio
import json
import socket
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from shoal.agent.link import identity as identities
from shoal.agent.link.channel import open_channel, problem_of
from shoal.contract.problem import (
    ConflictError,
    FailedError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    ProblemError,
    UnreachableError,
)
from shoal.contract.reason import Reason
from shoal.controller.domain import tokens
from shoal.v1 import device_plane_pb2, device_plane_pb2_grpc
from tests.links.stage import Side, Stage


async def reason_of(side: Side, kind: type[ProblemError], name: str, **changes: Any) -> str:
    with pytest.raises(kind) as refused:
        await side.enrol(name, **changes)
    return refused.value.problem.reason


def test_a_device_joins_with_its_token_and_keeps_what_it_got(stage: Stage) -> None:
    async def scenario(stage: Stage) -> None:
        async with stage.side("embedded") as side:
            token = await side.token(labels={"app": "reader", "device/site": "token"})
            identity = await side.enrol(
                "dev-a",
                token=token,
                labels=(("device/color", "red"), ("device/site", "wish")),
            )
            assert (identity.device, identity.namespace) == ("dev-a", "default")
            assert identity.broker == str(side.links.mqtt_address)
            device = await side.record("Device", "default", "dev-a")
            assert device is not None
            # The token's labels win over the device's wishes.
            assert device.data["metadata"]["labels"] == {
                "app": "reader",
                "device/color": "red",
                "device/site": "token",
            }
            assert identity.secret not in json.dumps(side.links.plane.secrets())

    stage.run(scenario)


def test_the_state_folder_is_readable_by_its_owner_alone(stage: Stage) -> None:
    async def scenario(stage: Stage) -> None:
        async with stage.side("off") as side:
            identity = await side.enrol("dev-a")
            state = side.data / "devices" / "dev-a"
            assert identities.exists(state)
            assert identities.load(state) == identity
            for name in (identities.KEY, identities.CERTIFICATE, "identity.json"):
                assert (state / name).stat().st_mode & 0o077 == 0
            authority = x509.load_pem_x509_certificate((state / "authority.pem").read_bytes())
            certificate = x509.load_pem_x509_certificate((state / "certificate.pem").read_bytes())
            certificate.verify_directly_issued_by(authority)
            assert certificate.subject.rfc4514_string() == "CN=dev-a"
            assert isinstance(certificate.public_key(), ec.EllipticCurvePublicKey)

    stage.run(scenario)


def test_unknown_expired_and_used_tokens_are_told_apart(stage: Stage) -> None:
    async def scenario(stage: Stage) -> None:
        async with stage.side("off") as side:
            assert (
                await reason_of(side, ForbiddenError, "dev-a", token="guess")
                == Reason.TOKEN_UNKNOWN
            )
            expired = await side.token(expires_ms=1)
            assert (
                await reason_of(side, ForbiddenError, "dev-a", token=expired)
                == Reason.TOKEN_EXPIRED
            )
            once = await side.token()
            await side.enrol("dev-a", token=once)
            assert await reason_of(side, ForbiddenError, "dev-b", token=once) == Reason.TOKEN_USED
            assert await side.record("Device", "default", "dev-b") is None

    stage.run(scenario)


def test_a_token_admits_as_many_as_it_says_and_no_more_at_once(stage: Stage) -> None:
    async def scenario(stage: Stage) -> None:
        async with stage.side("off") as side:
            token = await side.token(uses=3)
            results = await asyncio.gather(
                *(side.enrol(f"dev-{i}", token=token) for i in range(5)), return_exceptions=True
            )
            refused = [one for one in results if isinstance(one, ForbiddenError)]
            assert len(refused) == 2
            assert {one.problem.reason for one in refused} == {Reason.TOKEN_USED}
            assert len((await side.store.list("Device")).records) == 3

    stage.run(scenario)


def test_a_name_is_taken_once_and_the_token_is_kept(stage: Stage) -> None:
    async def scenario(stage: Stage) -> None:
        async with stage.side("off") as side:
            await side.enrol("dev-a")
            token = await side.token()
            other = side.data / "other"
            assert (
                await reason_of(side, ConflictError, "dev-a", token=token, state=other)
                == Reason.NAME_TAKEN
            )
            assert (await side.enrol("dev-b", token=token, state=other)).device == "dev-b"

    stage.run(scenario)


@pytest.mark.parametrize("name", ["Dev", "-a", "a/b", "a.b", "a" * 64, "+"])
def test_a_name_must_be_safe_everywhere(stage: Stage, name: str) -> None:
    async def scenario(stage: Stage) -> None:
        async with stage.side("off") as side:
            state = side.data / "state"
            assert await reason_of(side, InvalidError, name, state=state) == Reason.INVALID

    stage.run(scenario)


def test_without_a_name_the_controller_chooses_one(stage: Stage) -> None:
    async def scenario(stage: Stage) -> None:
        async with stage.side("off") as side:
            assert (await side.enrol("")).device.startswith("device-")

    stage.run(scenario)


def test_a_device_cannot_give_itself_other_labels(stage: Stage) -> None:
    async def scenario(stage: Stage) -> None:
        async with stage.side("off") as side:
            for key, value in (
                ("tier", "x"),
                ("device/", "x"),
                ("device/a/b", "x"),
                ("device/a", " "),
            ):
                with pytest.raises(InvalidError) as refused:
                    await side.enrol("dev-a", labels=((key, value),))
                assert refused.value.problem.field == f"labels.{key}"

    stage.run(scenario)


def test_a_lost_answer_is_asked_for_again(stage: Stage) -> None:
    async def scenario(stage: Stage) -> None:
        async with stage.side("embedded") as side:
            token = await side.token()
            first = await side.enrol("", token=token)
            again = await side.enrol("", token=token)
            assert again.device == first.device
            assert again.secret != first.secret
            side.links.plane.authenticate(again.device, again.secret)
            with pytest.raises(ForbiddenError):
                side.links.plane.authenticate(first.device, first.secret)

    stage.run(scenario)


def test_a_key_cut_off_by_a_full_disk_is_made_again(stage: Stage) -> None:
    async def scenario(stage: Stage) -> None:
        async with stage.side("off") as side:
            state = side.data / "state"
            state.mkdir()
            (state / identities.KEY).write_text("-----BEGIN")
            assert (await side.enrol("dev-a", state=state)).device == "dev-a"

    stage.run(scenario)


def test_a_controller_that_does_not_run_is_named(stage: Stage) -> None:
    async def scenario(stage: Stage) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            server = f"127.0.0.1:{free.getsockname()[1]}"
            side = Side(data=stage.data, mqtt="off")
            with pytest.raises(UnreachableError, match=server):
                await side.enrol("dev-a", token="t", server=server)

    stage.run(scenario)


def test_a_state_folder_that_cannot_be_used_is_named(stage: Stage) -> None:
    async def scenario(stage: Stage) -> None:
        async with stage.side("off") as side:
            blocked = side.data / "file"
            blocked.write_text("")
            with pytest.raises(FailedError, match="state folder"):
                await side.enrol("dev-a", state=blocked / "state")

    stage.run(scenario)


def test_no_call_but_enrol_works_without_an_identity(stage: Stage) -> None:
    async def scenario(stage: Stage) -> None:
        async with stage.side("off") as side, open_channel(side.listen) as channel:
            stub = device_plane_pb2_grpc.DevicePlaneStub(channel)
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await stub.WatchDesired(device_plane_pb2.Hello(device="dev-a")).read()
            problem = problem_of(refused.value, side.listen)
            assert isinstance(problem, ForbiddenError)
            assert problem.problem.hint
            with pytest.raises(grpc.aio.AioRpcError) as invalid:
                await stub.Enrol(device_plane_pb2.EnrolRequest(token="x", csr_pem=b"junk"))
            assert invalid.value.code() is grpc.StatusCode.INVALID_ARGUMENT

    stage.run(scenario)


def test_an_identity_that_is_not_there_or_not_readable_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="not enrolled"):
        identities.load(tmp_path)
    (tmp_path / "identity.json").write_text("{}")
    with pytest.raises(FailedError, match="device: required"):
        identities.load(tmp_path)


def test_only_the_digest_of_a_token_is_kept() -> None:
    token = tokens.new_token()
    assert token not in tokens.record_name(token)
    assert len(tokens.record_name(token)) == 64
