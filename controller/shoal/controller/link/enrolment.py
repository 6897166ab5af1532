"""Enrolment: a join token and a signing request become a device with an identity.

Token, device and identity change in one commit, so a token is never spent without a device and a
name never taken twice. The same key with the same token gets the same device again: a device that
lost the answer may ask once more.
"""

import datetime as dt
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from shoal.contract import jsonform
from shoal.contract.enrolment import (
    EnrolRequest,
    EnrolResponse,
    device_label,
    device_name,
)
from shoal.contract.problem import (
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    Problem,
)
from shoal.contract.reason import Reason
from shoal.controller.domain import standing, tokens
from shoal.controller.domain.standing import Approval, Standing
from shoal.controller.domain.tokens import JoinToken
from shoal.controller.link import authority, credentials
from shoal.controller.link.authority import Authority, SignedKey
from shoal.controller.link.roster import IDENTITY, Identity, Roster
from shoal.controller.store.port import Put, Record, Store

_ATTEMPTS = 5  # compare-and-swap races on one token
_NEW_TOKEN = "make a new one: shoal token create"  # noqa: S105 - a sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """Admits devices; `now` is seconds since the epoch."""

    store: Store
    roster: Roster
    authority: Authority
    now: Callable[[], float]

    async def enrol(self, request: EnrolRequest, broker: str) -> EnrolResponse:
        """Spend one use of the token and admit the device, which finds MQTT at `broker`.

        Raises:
            ForbiddenError: the token is unknown, expired or used up, or the device was revoked.
            InvalidError: a bad name, label or signing request.
            ConflictError: the name is taken.
        """
        key = authority.key_sha256(request.csr_pem)
        labels = _own_labels(request)
        token_name = tokens.record_name(request.token)
        if self.roster.is_revoked(key):
            raise _revoked()
        again = self.roster.with_key(key, token_name)
        if again is not None:
            return await self._readmit(again, request, broker)
        name = _wanted_name(request)
        signed = self.authority.sign(request.csr_pem, name)
        secret = credentials.new_secret()
        for _ in range(_ATTEMPTS):
            record = await self._token(token_name)
            token = self._checked(jsonform.from_json(JoinToken, record.data))
            identity = Identity(
                device=name,
                namespace=token.namespace,
                secret=credentials.hash_secret(secret),
                key_sha256=key,
                token_sha256=token_name,
            )
            writes = [
                _over(record, replace(token, uses=token.uses - 1)),
                _new_device(identity, labels | token.labels, _standing(token), self.now()),
                _identity_write(identity, signed, None),
            ]
            try:
                written = await self.store.commit(writes)
            except ConflictError as error:
                if error.problem.reason != Reason.ALREADY_EXISTS:
                    continue  # somebody else spent a use of the token: look again
                raise _name_taken(name) from None
            await self.roster.learn(written[2])
            return self._response(identity, secret, signed, broker)
        raise ConflictError(
            Problem(
                reason=Reason.CONFLICT,
                message="too many devices enrol with this token at once",
                hint="try again",
            )
        )

    async def _readmit(self, known: Identity, request: EnrolRequest, broker: str) -> EnrolResponse:
        secret = credentials.new_secret()
        signed = self.authority.sign(request.csr_pem, known.device)
        identity = replace(known, secret=credentials.hash_secret(secret))
        record = await self.store.get(IDENTITY, "", known.device)
        (written,) = await self.store.commit([_identity_write(identity, signed, record)])
        await self.roster.learn(written)
        return self._response(identity, secret, signed, broker)

    async def _token(self, name: str) -> Record:
        try:
            return await self.store.get(tokens.KIND, "", name)
        except NotFoundError:
            raise ForbiddenError(
                Problem(
                    reason=Reason.TOKEN_UNKNOWN,
                    message="this join token was not made by this controller",
                    hint=_NEW_TOKEN,
                )
            ) from None

    def _checked(self, token: JoinToken) -> JoinToken:
        if token.expires_ms <= self.now() * 1000:
            raise ForbiddenError(
                Problem(
                    reason=Reason.TOKEN_EXPIRED,
                    message="this join token has expired",
                    hint=_NEW_TOKEN,
                )
            )
        if token.uses < 1:
            raise ForbiddenError(
                Problem(
                    reason=Reason.TOKEN_USED,
                    message="this join token is used up",
                    hint=f"{_NEW_TOKEN} --uses N",
                )
            )
        return token

    def _response(
        self, identity: Identity, secret: str, signed: SignedKey, broker: str
    ) -> EnrolResponse:
        return EnrolResponse(
            device=identity.device,
            namespace=identity.namespace,
            secret=secret,
            broker=broker,
            certificate_pem=signed.certificate_pem,
            authority_pem=self.authority.certificate_pem,
        )


def _wanted_name(request: EnrolRequest) -> str:
    if not request.name:
        return f"device-{secrets.token_hex(4)}"
    try:
        return device_name(request.name)
    except ValueError as error:
        raise InvalidError(
            Problem(reason=Reason.INVALID, message=str(error), field="name")
        ) from None


def _own_labels(request: EnrolRequest) -> dict[str, str]:
    for key, value in request.labels:
        try:
            device_label(key, value)
        except ValueError as error:
            raise InvalidError(
                Problem(
                    reason=Reason.INVALID,
                    message=str(error),
                    field=f"labels.{key}",
                    hint="other labels come with the token: shoal token create --labels k=v",
                )
            ) from None
    return dict(request.labels)


def _name_taken(name: str) -> ConflictError:
    return ConflictError(
        Problem(
            reason=Reason.NAME_TAKEN,
            message=f"there is already a device named {name!r}",
            field="name",
            hint="choose another name, or delete the device first: shoal delete device NAME",
        )
    )


def _revoked() -> ForbiddenError:
    return ForbiddenError(
        Problem(
            reason=Reason.FORBIDDEN,
            message="this device was revoked",
            hint="delete it first: shoal delete device NAME; then enrol with a new state folder",
        )
    )


def _standing(token: JoinToken) -> Standing:
    manual = token.approve == tokens.MANUAL
    return Standing(approval=Approval.PENDING if manual else Approval.APPROVED)


def _over(record: Record, token: JoinToken) -> Put:
    return Put(
        kind=tokens.KIND,
        namespace="",
        name=record.name,
        data=jsonform.to_json(token),
        expected=record.resource_version,
    )


def _identity_write(identity: Identity, signed: SignedKey, known: Record | None) -> Put:
    certificate = {"certificate": signed.certificate_pem.decode(), "serial": signed.serial}
    return Put(
        kind=IDENTITY,
        namespace="",
        name=identity.device,
        data=jsonform.to_json(identity) | certificate,
        expected=None if known is None else known.resource_version,
    )


def _new_device(identity: Identity, labels: dict[str, str], allowed: Standing, now: float) -> Put:
    moment = dt.datetime.fromtimestamp(now, dt.UTC).isoformat(timespec="milliseconds")
    metadata: dict[str, Any] = {
        "name": identity.device,
        "namespace": identity.namespace,
        "labels": labels,
        "annotations": {},
        "generation": 1,
        "creationTime": moment.replace("+00:00", "Z"),
    }
    return Put(
        kind="Device",
        namespace=identity.namespace,
        name=identity.device,
        data={
            "apiVersion": "shoal/v1",
            "kind": "Device",
            "metadata": metadata,
            "spec": {},
            "status": {},
            standing.KEY: jsonform.to_json(allowed),
        },
        expected=None,
    )
