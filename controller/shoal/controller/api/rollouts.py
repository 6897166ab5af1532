"""Rollouts of a deployment: what operators ask of them, and their history."""

import enum
from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Request

from shoal.controller.api import bodies, documents, openapi
from shoal.controller.api.callers import User
from shoal.controller.api.ports import ApiPorts, RolloutRequest
from shoal.resources.words import suggestion


class Verb(enum.StrEnum):
    """What may be asked."""

    PAUSE = "pause"
    RESUME = "resume"
    ABORT = "abort"
    PROMOTE = "promote"
    RETRY = "retry"
    UNDO = "undo"


_BODY = {
    **openapi.fields(
        verb={"enum": [verb.value for verb in Verb]},
        toRevision={"type": ["integer", "null"], "minimum": 1},
        follow="boolean",
        full="boolean",
    ),
    "required": ["verb"],
}
_ONE = "/namespaces/{namespace}/deployments/{name}"


def router(ports: ApiPorts) -> APIRouter:
    """`POST …/rollout` and `GET …/revisions`."""
    routes = APIRouter(tags=["Deployment"])

    @routes.post(
        f"{_ONE}/rollout",
        name="Ask something of a rollout",
        **openapi.takes(_BODY),
        **openapi.answers("Deployment"),
    )
    async def act(namespace: str, name: str, request: Request, user: User) -> dict[str, Any]:
        asked = _read(f"{namespace}/{name}", await bodies.read_object(request))
        wanted = replace(asked, user=user)
        await ports.store.get("Deployment", namespace, name)
        await ports.rollouts.request(wanted)
        return documents.resource(await ports.store.get("Deployment", namespace, name))

    @routes.get(
        f"{_ONE}/revisions",
        name="List the revisions of a deployment",
        **openapi.answers_items(openapi.described("Revision")),
    )
    async def revisions(namespace: str, name: str) -> dict[str, Any]:
        await ports.store.get("Deployment", namespace, name)
        return {"items": list(await ports.rollouts.revisions(f"{namespace}/{name}"))}

    return routes


def _read(deployment: str, body: dict[str, Any]) -> RolloutRequest:
    bodies.only(body, ("verb", "toRevision", "follow", "full"))
    verb, to_revision = body.get("verb"), body.get("toRevision")
    if not isinstance(verb, str) or verb not in set(Verb):
        raise bodies.invalid("verb", f"{verb!r} is no verb: {suggestion(str(verb), set(Verb))}")
    if to_revision is not None and (type(to_revision) is not int or to_revision < 1):
        raise bodies.invalid("toRevision", f"{to_revision!r} is not the number of a revision")
    if to_revision is not None and verb != Verb.UNDO:
        raise bodies.invalid("toRevision", f"{verb} takes no revision, only undo does")
    return RolloutRequest(
        deployment=deployment,
        verb=verb,
        to_revision=to_revision,
        follow=_flag(body, "follow", Verb.RESUME),
        full=_flag(body, "full", Verb.PROMOTE),
    )


def _flag(body: dict[str, Any], name: str, verb: Verb) -> bool:
    """An option that only one verb has."""
    value = body.get(name, False)
    if not isinstance(value, bool):
        raise bodies.invalid(name, f"{value!r} is neither true nor false")
    if value and body["verb"] != verb:
        raise bodies.invalid(name, f"{body['verb']} has no option {name}, only {verb} has")
    return value
