"""Join tokens: shown once, kept by their SHA-256 only."""

from typing import Any

from fastapi import APIRouter, Request

from shoal.contract import jsonform, units
from shoal.contract.problem import ConflictError
from shoal.controller.api import bodies, documents, openapi
from shoal.controller.api.callers import Clerk, Place, User
from shoal.controller.api.ports import ApiPorts
from shoal.controller.domain import tokens
from shoal.controller.domain.tokens import JoinToken
from shoal.controller.store.port import Delete, Put, Store
from shoal.resources.errors import ManifestError
from shoal.resources.parsing import parse

_MOST_USES = 100_000
_LONGEST_S = 365 * 86_400.0
_FIELDS = ("ttl", "uses", "labels", "approve", "namespace")
_BODY = openapi.fields(
    ttl="string",
    uses={"type": "integer", "minimum": 1, "maximum": _MOST_USES},
    labels={"type": "object", "additionalProperties": {"type": "string"}},
    approve={"enum": [tokens.AUTO, tokens.MANUAL]},
    namespace="string",
)
_MADE = openapi.fields(token="string", expires="string")  # noqa: S106 - the name of a type


def router(ports: ApiPorts) -> APIRouter:
    """`POST /tokens`."""
    routes = APIRouter(tags=["Tokens"])

    clerk = Clerk(now=ports.now)

    @routes.post(
        "/tokens",
        name="Create a join token",
        status_code=201,
        **openapi.answers_with(_MADE, 201),
        **openapi.takes(_BODY),
    )
    async def create(request: Request, user: User) -> dict[str, Any]:
        wanted = _read(await bodies.read_object(request), ports.now())
        token = tokens.new_token()
        await _forget_expired(ports.store, ports.now())
        write = Put(
            kind=tokens.KIND,
            namespace="",
            name=tokens.record_name(token),
            data=_data(wanted),
            expected=None,
        )
        # By the name that the store knows it by: the token itself is told to its maker alone.
        place = Place(kind=tokens.KIND, namespace=wanted.namespace, name=write.name)
        detail = f"uses {wanted.uses}, approve {wanted.approve}"
        await ports.store.commit([write], clerk.act(user, "create", place, detail))
        return {"token": token, "expires": documents.iso(wanted.expires_ms / 1000)}

    return routes


def _read(body: dict[str, Any], now_s: float) -> JoinToken:
    bodies.only(body, _FIELDS)
    uses, approve = body.get("uses", 1), body.get("approve", tokens.AUTO)
    if type(uses) is not int or not 1 <= uses <= _MOST_USES:
        raise bodies.invalid("uses", f"{uses!r} is not a number of uses from 1 to {_MOST_USES}")
    if approve not in (tokens.AUTO, tokens.MANUAL):
        raise bodies.invalid("approve", f"{approve!r} is neither auto nor manual")
    namespace, labels = _place(body)
    return JoinToken(
        expires_ms=round((now_s + _ttl_s(body.get("ttl", "1h"))) * 1000),
        uses=uses,
        labels=labels,
        namespace=namespace,
        approve=approve,
    )


def _ttl_s(text: object) -> float:
    try:
        ttl_s = units.parse_duration_s(str(text))
    except ValueError as error:
        raise bodies.invalid("ttl", str(error)) from None
    if not 0 < ttl_s <= _LONGEST_S:
        raise bodies.invalid("ttl", f"{text} is not more than 0s and at most 365d")
    return ttl_s


def _place(body: dict[str, Any]) -> tuple[str, dict[str, str]]:
    """Namespace and labels, checked as those of the device that they will become part of."""
    namespace, labels = body.get("namespace", "default"), body.get("labels") or {}
    metadata = {"name": "device", "namespace": namespace, "labels": labels}
    try:
        parse({"apiVersion": "shoal/v1", "kind": "Device", "metadata": metadata})
    except ManifestError as error:
        field = (error.problem.field or "labels").removeprefix("metadata.")
        raise bodies.invalid(field, error.problem.message) from None
    return namespace, labels


def _data(token: JoinToken) -> dict[str, Any]:
    data = jsonform.to_json(token)
    assert isinstance(data, dict)
    return data


async def _forget_expired(store: Store, now_s: float) -> None:
    for record in (await store.list(tokens.KIND)).records:
        if jsonform.from_json(JoinToken, record.data).expires_ms > now_s * 1000:
            continue
        try:
            await store.commit(
                [
                    Delete(
                        kind=tokens.KIND,
                        namespace="",
                        name=record.name,
                        expected=record.resource_version,
                    )
                ]
            )
        except ConflictError:
            continue
