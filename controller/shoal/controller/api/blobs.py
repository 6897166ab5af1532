"""Uploads by digest, in chunks, resumed where they stopped."""

from typing import Annotated

from fastapi import APIRouter, Header, Request, Response

from shoal.contract import digest as digests
from shoal.contract.digest import Digest
from shoal.contract.limits import MODEL_BYTES, UPLOAD_CHUNK_BYTES
from shoal.controller.api import bodies
from shoal.controller.api.callers import Clerk, Place, User
from shoal.controller.api.ports import ApiPorts

_OFFSET = "Upload-Offset"


def router(ports: ApiPorts) -> APIRouter:
    """`HEAD` and `PATCH /blobs/{digest}`."""
    routes = APIRouter(tags=["Blobs"])
    clerk = Clerk(now=ports.now)

    @routes.head("/blobs/{digest}", name="Ask for a blob, or how much of it is here")
    async def look(digest: str) -> Response:
        wanted = _parse(digest)
        if ports.blobs.reserve(wanted):
            return Response(headers={_OFFSET: str(ports.blobs.size(wanted))})
        return Response(status_code=404, headers={_OFFSET: str(ports.blobs.uploaded(wanted))})

    @routes.patch("/blobs/{digest}", name="Send the next bytes of a blob")
    async def send(
        digest: str,
        request: Request,
        user: User,
        offset: Annotated[int, Header(alias=_OFFSET, ge=0)],
        total: Annotated[int, Header(alias="Upload-Length", ge=0, le=MODEL_BYTES)],
    ) -> Response:
        wanted = _parse(digest)
        data = await bodies.read(request, UPLOAD_CHUNK_BYTES)
        if await ports.blobs.upload(wanted, offset, data, total):
            place = Place(kind="Blob", namespace="", name=wanted)
            await ports.store.commit([], clerk.act(user, "upload", place, f"{total} bytes"))
            return Response(status_code=201, headers={_OFFSET: str(ports.blobs.size(wanted))})
        return Response(status_code=204, headers={_OFFSET: str(ports.blobs.uploaded(wanted))})

    return routes


def _parse(text: str) -> Digest:
    try:
        return digests.parse(text)
    except ValueError as error:
        raise bodies.invalid("digest", str(error)) from None
