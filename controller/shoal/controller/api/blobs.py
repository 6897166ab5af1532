"""Uploads by digest, in chunks, resumed where they stopped."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Request, Response

from shoal.contract import digest as digests
from shoal.contract.limits import MODEL_BYTES, UPLOAD_CHUNK_BYTES
from shoal.controller.api import bodies, forms
from shoal.controller.api.callers import Clerk, Place, User
from shoal.controller.api.ports import ApiPorts

_OFFSET = "Upload-Offset"
_AT = {_OFFSET: {"schema": {"type": "string"}, "description": "How many bytes are here."}}
_BYTES = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
_SENT: dict[int | str, dict[str, Any]] = {
    201: {"description": "The blob is whole", "headers": _AT},
    204: {"description": "More is to come", "headers": _AT},
}
_FOUND: dict[int | str, dict[str, Any]] = {
    200: {"description": "The blob is whole", "headers": _AT},
    404: {"description": "It is not, or not yet", "headers": _AT},
}
Named = Annotated[str, Path(pattern=forms.DIGEST)]


def router(ports: ApiPorts) -> APIRouter:
    """`HEAD` and `PATCH /blobs/{digest}`."""
    routes = APIRouter(tags=["Blobs"])
    clerk = Clerk(now=ports.now)

    @routes.head(
        "/blobs/{digest}",
        name="Ask for a blob, or how much of it is here",
        response_class=Response,
        responses=_FOUND,
    )
    async def look(digest: Named) -> Response:
        wanted = digests.parse(digest)
        if ports.blobs.reserve(wanted):
            return Response(headers={_OFFSET: str(ports.blobs.size(wanted))})
        return Response(status_code=404, headers={_OFFSET: str(ports.blobs.uploaded(wanted))})

    @routes.patch(
        "/blobs/{digest}",
        name="Send the next bytes of a blob",
        response_class=Response,
        status_code=204,
        responses=_SENT,
        openapi_extra={"requestBody": {"required": True, "content": _BYTES}},
    )
    async def send(
        digest: Named,
        request: Request,
        user: User,
        offset: Annotated[int, Header(alias=_OFFSET, ge=0)],
        total: Annotated[int, Header(alias="Upload-Length", ge=0, le=MODEL_BYTES)],
    ) -> Response:
        wanted = digests.parse(digest)
        data = await bodies.read(request, UPLOAD_CHUNK_BYTES)
        if await ports.blobs.upload(wanted, offset, data, total):
            place = Place(kind="Blob", namespace="", name=wanted)
            await ports.store.commit([], clerk.act(user, "upload", place, f"{total} bytes"))
            return Response(status_code=201, headers={_OFFSET: str(ports.blobs.size(wanted))})
        return Response(status_code=204, headers={_OFFSET: str(ports.blobs.uploaded(wanted))})

    return routes
