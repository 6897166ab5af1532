"""A revoked device has no link any more, and its key opens none."""

from pathlib import Path

import pytest

from shoal.contract import jsonform
from shoal.contract.enrolment import EnrolRequest
from shoal.contract.problem import ForbiddenError
from shoal.controller.domain import standing, tokens
from shoal.controller.domain.standing import Approval
from shoal.controller.domain.tokens import JoinToken
from tests.unit.link.signing import a_signing_request
from tests.unit.link.test_plane import HARDWARE, Room, in_room, until


def test_revoking_a_device_ends_its_links_and_bars_its_key(tmp_path: Path) -> None:
    async def scenario(room: Room) -> None:
        csr = a_signing_request()
        secret = await room.enrol("dev-a", csr)
        told: list[tuple[str, str | None]] = []

        async def listener(device: str, stored: str | None) -> None:
            told.append((device, stored))

        room.plane.listen(listener, lambda _device: None)
        states = room.plane.watch_desired("dev-a")
        await anext(states)
        identity = (await room.store.get("Identity", "", "dev-a")).data
        await room.put("Identity", "", "dev-a", identity | {"revoked": True})
        with pytest.raises(ForbiddenError, match="is not enrolled"):
            await anext(states)
        with pytest.raises(ForbiddenError):
            room.plane.authenticate("dev-a", secret)
        assert told == [("dev-a", None)]
        with pytest.raises(ForbiddenError, match="was revoked"):
            await room.enrol("dev-b", csr)
        await room.delete("Device", "default", "dev-a")
        await until(lambda: not room.plane._roster.is_revoked(identity["key_sha256"]))
        await room.enrol("dev-b", csr)

    in_room(tmp_path, scenario)


def test_a_token_for_manual_approval_leaves_its_device_pending(tmp_path: Path) -> None:
    async def scenario(room: Room) -> None:
        token = tokens.new_token()
        stored = JoinToken(expires_ms=1 << 50, uses=1, labels={}, approve=tokens.MANUAL)
        await room.put("Token", "", tokens.record_name(token), jsonform.to_json(stored))
        request = EnrolRequest(
            token=token,
            name="dev-a",
            labels=(),
            csr_pem=a_signing_request(),
            hardware=HARDWARE,
            agent_version="0",
        )
        secret = (await room.plane.enrol(request)).secret
        device = await room.store.get("Device", "default", "dev-a")
        assert standing.of(device.data).approval is Approval.PENDING
        room.plane.authenticate("dev-a", secret)  # it may report; nothing selects it yet

    in_room(tmp_path, scenario)
