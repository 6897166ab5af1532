"""Routes of one kind: list, watch, get, create, replace, delete."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

from shoal.contract.limits import DEVICE_NAME_CHARS
from shoal.controller.api import bodies, documents, forms, openapi, paging, selecting
from shoal.controller.api.callers import User
from shoal.controller.api.deleting import Deleter
from shoal.controller.api.ports import ApiPorts
from shoal.controller.api.watching import Follower, encode, lines
from shoal.controller.api.writing import Writer
from shoal.controller.errors import GoneError
from shoal.controller.store.port import Record
from shoal.resources.kinds import KINDS, WRITTEN_BY_PEOPLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The query of a list: which resources, in what portions, or as an endless watch."""

    label_selector: str
    field_selector: str
    limit: int
    token: str
    watch: bool
    version: int | None


def _wanted(
    label_selector: Annotated[str, Query(alias="labelSelector")] = "",
    field_selector: Annotated[str, Query(alias="fieldSelector")] = "",
    limit: Annotated[int, Query(ge=0)] = 0,
    token: Annotated[str, Query(alias="continue")] = "",
    watch: bool = False,  # noqa: FBT001, FBT002 - a query parameter
    version: Annotated[int | None, Query(alias="resourceVersion", ge=0)] = None,
) -> Wanted:
    return Wanted(
        label_selector=label_selector,
        field_selector=field_selector,
        limit=limit,
        token=token,
        watch=watch,
        version=version,
    )


Namespace = Annotated[str, Path(pattern=forms.NAME, max_length=DEVICE_NAME_CHARS)]
AsWanted = Annotated[Wanted, Depends(_wanted)]


class KindRoutes:
    """The routes of `kind`, over one set of ports."""

    def __init__(self, kind: str, ports: ApiPorts) -> None:
        self._kind = kind
        self._ports = ports
        self._writer = Writer(ports)
        self._deleter = Deleter(ports)

    def router(self) -> APIRouter:
        """Everything below `/{plural}` and `/namespaces/{namespace}/{plural}`."""
        plural, kind = documents.PLURALS[self._kind], self._kind
        router = APIRouter(tags=[kind])
        inside = f"/namespaces/{{namespace}}/{plural}"
        one = f"{inside}/{{name}}"

        def add(path: str, method: str, endpoint: Callable[..., Any], **more: Any) -> None:
            router.add_api_route(path, endpoint, methods=[method], response_model=None, **more)

        listed = openapi.answers_followed(kind)
        add(f"/{plural}", "GET", self.list_all, **listed, name=f"List {plural} of all namespaces")
        add(inside, "GET", self.list_some, **listed, name=f"List {plural}")
        add(one, "GET", self.get, **openapi.answers(kind), name=f"Get a {kind}")
        if kind in WRITTEN_BY_PEOPLE:
            made, body = openapi.takes_and_answers(kind, 201), openapi.takes_and_answers(kind)
            add(inside, "POST", self.create, **made, status_code=201, name=f"Create a {kind}")
            add(one, "PUT", self.replace, **body, name=f"Replace a {kind}")
            add(one, "DELETE", self.delete, **openapi.answers(kind), name=f"Delete a {kind}")
        return router

    async def list_all(self, wanted: AsWanted) -> Response:  # noqa: D102 - its route says it
        return await self._answer(None, wanted)

    async def list_some(self, namespace: Namespace, wanted: AsWanted) -> Response:  # noqa: D102
        return await self._answer(namespace, wanted)

    async def get(self, namespace: str, name: str) -> dict[str, Any]:  # noqa: D102
        return documents.resource(await self._ports.store.get(self._kind, namespace, name))

    async def create(  # noqa: D102
        self, namespace: str, request: Request, user: User
    ) -> dict[str, Any]:
        document = self._placed(await bodies.read_object(request), namespace)
        return await self._writer.create(document, user)

    async def replace(  # noqa: D102
        self, namespace: str, name: str, request: Request, user: User
    ) -> dict[str, Any]:
        document = self._placed(await bodies.read_object(request), namespace)
        if document["metadata"].get("name", name) != name:
            raise bodies.invalid("metadata.name", f"the address says {name}")
        return await self._writer.replace(document, user)

    async def delete(  # noqa: D102
        self,
        namespace: str,
        name: str,
        user: User,
        cascade: bool = False,  # noqa: FBT001, FBT002 - a query parameter
    ) -> dict[str, Any]:
        place = (namespace, name)
        return await self._deleter.delete(self._kind, place, user, cascade=cascade)

    def _placed(self, document: dict[str, Any], namespace: str) -> dict[str, Any]:
        """The document with the kind and namespace of the address.

        Raises:
            InvalidError: it names others.
        """
        metadata = document.get("metadata")
        if not isinstance(metadata, dict):
            raise bodies.invalid("metadata", "a resource needs metadata")
        if document.get("kind", self._kind) != self._kind:
            raise bodies.invalid("kind", f"the address says {self._kind}")
        if metadata.get("namespace", namespace) != namespace:
            raise bodies.invalid("metadata.namespace", f"the address says {namespace}")
        return {**document, "metadata": {**metadata, "namespace": namespace}}

    async def _answer(self, namespace: str | None, wanted: Wanted) -> Response:
        labels = selecting.parse(wanted.label_selector)
        fields = selecting.parse_fields(wanted.field_selector, KINDS[self._kind])

        def matches(record: Record) -> bool:
            return selecting.matches(labels, documents.labels(record)) and (
                not fields.conditions or fields.matches(documents.resource(record))
            )

        if wanted.watch:
            return await self._watch(namespace, wanted.version, matches)
        cursor = paging.read_token(wanted.token) if wanted.token else None
        pages = paging.Pages(store=self._ports.store, kind=self._kind, namespace=namespace)
        page = await pages.read(cursor, wanted.limit, matches)
        return JSONResponse(
            {
                "items": [documents.resource(record) for record in page.records],
                "continue": page.following,
                "metadata": {"resourceVersion": str(page.version)},
            }
        )

    async def _watch(
        self, namespace: str | None, version: int | None, matches: Callable[[Record], bool]
    ) -> Response:
        """Without a version, everything that is there comes first, as added just now."""
        store, present = self._ports.store, b""
        if version is None:
            listing = await store.list(self._kind, namespace)
            version = listing.resource_version
            found = (documents.resource(r) for r in listing.records if matches(r))
            present = b"".join(encode({"type": "ADDED", "object": one}) for one in found)
        elif version not in await store.kept():
            raise GoneError(version)

        def wanted(record: Record) -> bool:
            return record.kind == self._kind and namespace in {None, record.namespace}

        async def body() -> Any:
            if present:
                yield present
            follower = Follower(wanted, matches)
            async for line in lines(store.changes(version), follower, self._ports.stopping):
                yield line

        return StreamingResponse(body(), media_type=openapi.NDJSON)
