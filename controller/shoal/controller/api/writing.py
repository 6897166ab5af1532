"""Writes of resources: apply, create, replace, delete. Status is never written here.

Law: what says nothing new writes nothing, so an unchanged file applied again leaves version and
generation as they are.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from shoal.contract.problem import ConflictError, NotFoundError, Problem
from shoal.contract.reason import Reason
from shoal.controller.api import admission, documents
from shoal.controller.api.ports import ApiPorts
from shoal.controller.store.port import Delete, Put, Record
from shoal.resources.base import API_VERSION
from shoal.resources.errors import ManifestError
from shoal.resources.parsing import Parsed, parse

T = TypeVar("T")

_ATTEMPTS = 10  # compare-and-swap races with controllers that write status
_MERGED_LABELS = frozenset({"Device"})  # enrolment labels devices too; a file must not strip those


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What a write did: `result` is created, configured or unchanged."""

    result: str
    resource: dict[str, Any]
    warnings: tuple[str, ...] = ()


class Writer:
    """Writes resources of the kinds that people write."""

    def __init__(self, ports: ApiPorts) -> None:
        self._ports = ports

    async def apply(self, document: dict[str, Any], *, dry_run: bool) -> Written:
        """Make the store say what `document` says; twice is the same as once.

        Raises:
            ManifestError: the document is wrong.
            ConflictError: the resource is being deleted.
        """
        parsed = self._admit(document, present=not dry_run)
        warnings = tuple(await admission.warnings(parsed, self._ports.store))

        async def once() -> Written:
            current = await self._current(parsed)
            if current is None:
                admission.creatable(parsed.kind, parsed.resource.metadata.name)
            data = self._data(parsed, current, merge=parsed.kind in _MERGED_LABELS)
            if current is not None and data == current.data:
                return Written(
                    result="unchanged", resource=documents.resource(current), warnings=warnings
                )
            record = _shown(current, data) if dry_run else await self._put(current, data)
            result = "created" if current is None else "configured"
            return Written(result=result, resource=documents.resource(record), warnings=warnings)

        return await _until_it_fits(once)

    async def create(self, document: dict[str, Any]) -> dict[str, Any]:
        """Store a new resource.

        Raises:
            ConflictError: the name is taken.
        """
        parsed = self._admit(document, present=True)
        admission.creatable(parsed.kind, parsed.resource.metadata.name)
        return documents.resource(await self._put(None, self._data(parsed, None, merge=False)))

    async def replace(self, document: dict[str, Any]) -> dict[str, Any]:
        """Write over a resource; with metadata.resourceVersion, over exactly that version.

        Raises:
            ConflictError: it is at another version.
            NotFoundError: there is none.
        """
        parsed = self._admit(document, present=True)
        metadata = parsed.resource.metadata

        async def once() -> dict[str, Any]:
            current = await self._ports.store.get(parsed.kind, metadata.namespace, metadata.name)
            version = metadata.resource_version
            if version is not None and version != str(current.resource_version):
                raise _stale(current, version)
            data = self._data(parsed, current, merge=False)
            if data == current.data:
                return documents.resource(current)
            return documents.resource(await self._put(current, data))

        # Over a named version a lost race is the caller's answer, not a reason to try again.
        return await (once() if metadata.resource_version else _until_it_fits(once))

    async def delete(self, kind: str, namespace: str, name: str) -> dict[str, Any]:
        """Remove a resource. A Deployment is marked: reconcile withdraws it from devices first.

        Raises:
            NotFoundError: there is none.
            ConflictError: a Deployment still runs the Model.
        """
        admission.writable(kind)

        async def once() -> dict[str, Any]:
            current = await self._ports.store.get(kind, namespace, name)
            if kind == "Model":
                await self._refuse_in_use(current)
            if kind != "Deployment":
                expected = current.resource_version
                await self._ports.store.commit(
                    [Delete(kind=kind, namespace=namespace, name=name, expected=expected)]
                )
                return documents.resource(current)
            metadata = current.data["metadata"]
            if metadata.get("deletionTime"):
                return documents.resource(current)
            marked = {**metadata, "deletionTime": documents.iso(self._ports.now())}
            return documents.resource(
                await self._put(current, {**current.data, "metadata": marked})
            )

        return await _until_it_fits(once)

    async def _refuse_in_use(self, model: Record) -> None:
        """A Model made again counts from revision 1, which a Deployment could not tell apart."""
        deployments = await self._ports.store.list("Deployment", model.namespace)
        users = [
            record.name
            for record in deployments.records
            if record.data["spec"]["model"].partition("@")[0] == model.name
        ]
        if users:
            raise ConflictError(
                Problem(
                    reason=Reason.CONFLICT,
                    message=f"Model {model.name} is in use by {', '.join(users)}",
                    hint=f"first: shoal delete deployment {' '.join(users)}",
                )
            )

    def _admit(self, document: dict[str, Any], *, present: bool) -> Parsed:
        parsed = parse(document)
        admission.writable(parsed.kind)
        admission.files(parsed, self._ports.blobs, present=present)
        return parsed

    async def _current(self, parsed: Parsed) -> Record | None:
        metadata = parsed.resource.metadata
        try:
            return await self._ports.store.get(parsed.kind, metadata.namespace, metadata.name)
        except NotFoundError:
            return None

    def _data(self, parsed: Parsed, current: Record | None, *, merge: bool) -> dict[str, Any]:
        """The whole document as it will be stored."""
        wanted = parsed.resource.metadata
        before: dict[str, Any] = {} if current is None else current.data
        known = before.get("metadata", {})
        if known.get("deletionTime"):
            raise ConflictError(
                Problem(
                    reason=Reason.CONFLICT,
                    message=f"{parsed.kind} {wanted.name} is being deleted",
                    hint="wait until it is gone, then create it again",
                )
            )
        if current is not None and _same_spec(parsed, current):
            generation, spec = known.get("generation", 1), before.get("spec") or {}
        else:
            generation, spec = known.get("generation", 0) + 1, parsed.spec
        metadata = {
            **known,
            "name": wanted.name,
            "namespace": wanted.namespace,
            "labels": {**(known.get("labels", {}) if merge else {}), **wanted.labels},
            "annotations": dict(wanted.annotations),
            "generation": generation,
            "creationTime": known.get("creationTime") or documents.iso(self._ports.now()),
        }
        return {
            **before,
            "apiVersion": API_VERSION,
            "kind": parsed.kind,
            "metadata": metadata,
            "spec": spec,
            "status": before.get("status") or {},
        }

    async def _put(self, current: Record | None, data: dict[str, Any]) -> Record:
        metadata = data["metadata"]
        write = Put(
            kind=data["kind"],
            namespace=metadata["namespace"],
            name=metadata["name"],
            data=data,
            expected=None if current is None else current.resource_version,
        )
        (record,) = await self._ports.store.commit([write])
        return record


async def _until_it_fits(once: Callable[[], Awaitable[T]]) -> T:
    """Read and write again while somebody else is faster."""
    for _ in range(_ATTEMPTS - 1):
        try:
            return await once()
        except ConflictError as error:
            if error.problem.reason not in {Reason.CONFLICT, Reason.ALREADY_EXISTS}:
                raise
            await asyncio.sleep(0)
    return await once()


def _same_spec(parsed: Parsed, current: Record) -> bool:
    """Whether the stored spec says the same, also where an older Shoal wrote fewer defaults."""
    if current.data.get("spec") == parsed.spec:
        return True
    try:
        return parse(documents.resource(current)).spec == parsed.spec
    except ManifestError:
        return False


def _shown(current: Record | None, data: dict[str, Any]) -> Record:
    """What a dry run answers: the resource as it would be, under the version that is there."""
    metadata = data["metadata"]
    return Record(
        kind=data["kind"],
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid="" if current is None else current.uid,
        resource_version=0 if current is None else current.resource_version,
        data=data,
    )


def _stale(current: Record, version: str) -> ConflictError:
    return ConflictError(
        Problem(
            reason=Reason.CONFLICT,
            message=f"{current.kind} {current.name} is not at version {version}: "
            f"it is at {current.resource_version}",
            hint="read it again and repeat the change",
        )
    )
