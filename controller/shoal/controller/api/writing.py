"""Writes of resources: apply, create, replace. Status is never written here.

Law: what says nothing new writes nothing, so an unchanged file applied again leaves version and
generation as they are.
"""

from dataclasses import dataclass
from typing import Any

from shoal.contract.problem import NotFoundError, Problem
from shoal.contract.reason import Reason
from shoal.controller.api import admission, claiming, documents, merging, refusals
from shoal.controller.api.callers import NOBODY, Clerk, place_in
from shoal.controller.api.merging import Claim, Claims, Taken
from shoal.controller.api.ports import ApiPorts
from shoal.controller.api.racing import until_it_fits
from shoal.controller.store.port import Put, Record
from shoal.resources.base import API_VERSION
from shoal.resources.errors import ManifestError
from shoal.resources.parsing import Parsed, parse

_FIELDS = 5_000  # of one document: a Deployment with every field and many labels has a few hundred


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What a write did: `result` is created, configured or unchanged."""

    result: str
    resource: dict[str, Any]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class How:
    """How to apply: `force` takes fields from others, a dry run writes nothing.

    `models` are the Models, by namespace and name, that a dry run would have written before.
    """

    user: str = NOBODY
    force: bool = False
    dry_run: bool = False
    models: frozenset[tuple[str, str]] = frozenset()


class Writer:
    """Writes resources of the kinds that people write."""

    def __init__(self, ports: ApiPorts) -> None:
        self._ports = ports
        self._clerk = Clerk(now=ports.now)

    async def apply(self, document: dict[str, Any], how: How) -> Written:
        """Make the store say what `document` says; twice is the same as once.

        Fields that others applied and that `document` does not name stay as they are.

        Raises:
            ManifestError: the document is wrong, alone or together with what others applied.
            ConflictError: others have given a field another value, or the resource is being
                deleted.
        """

        async def once() -> Written:
            current = await self._current(document)
            claims, taken = self._claimed(document, current, how)
            if taken:
                raise refusals.FieldsTakenError(taken)
            parsed = self._admit(_merged(document, claims), present=not how.dry_run)
            await self._allow(parsed, current)
            warnings = tuple(await admission.warnings(parsed, self._ports.store, how.models))
            data = self._data(parsed, current, claims)
            result = _result(current, data)
            if result == "unchanged" and current is not None and data == current.data:
                record = current
            elif how.dry_run:
                record = _shown(current, data)
            else:
                record = await self._put(current, data, "apply", how.user)
            return Written(result=result, resource=documents.resource(record), warnings=warnings)

        return await until_it_fits(once)

    async def create(self, document: dict[str, Any], user: str) -> dict[str, Any]:
        """Store a new resource.

        Raises:
            ConflictError: the name is taken.
        """
        parsed = self._admit(document, present=True)

        async def once() -> dict[str, Any]:
            await self._allow(parsed, None)
            data = self._data(parsed, None, {user: self._claim(document)})
            return documents.resource(await self._put(None, data, "create", user))

        return await until_it_fits(once)

    async def replace(self, document: dict[str, Any], user: str) -> dict[str, Any]:
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
                raise refusals.stale(current, version)
            await self._allow(parsed, current)
            data = self._data(parsed, current, {})
            if {**data, merging.KEY: None} == {**current.data, merging.KEY: None}:
                return documents.resource(current)
            data = claiming.rewritten(current, data, user, self._time())
            return documents.resource(await self._put(current, data, "replace", user))

        return await until_it_fits(once)

    async def _current(self, document: dict[str, Any]) -> Record | None:
        """What there is under the document's name; None also where it has none to speak of."""
        metadata = document.get("metadata")
        if not isinstance(metadata, dict):
            return None
        namespace = metadata.get("namespace", "default")
        place = (document.get("kind"), namespace, metadata.get("name"))
        if not all(isinstance(part, str) for part in place):
            return None
        try:
            return await self._ports.store.get(*(str(part) for part in place))
        except NotFoundError:
            return None

    def _claimed(
        self, document: dict[str, Any], current: Record | None, how: How
    ) -> tuple[Claims, list[Taken]]:
        wanted = self._claim(document)
        if current is None:
            return {how.user: wanted}, []
        return merging.applied(claiming.claims_of(current), how.user, wanted, force=how.force)

    def _claim(self, document: dict[str, Any]) -> Claim:
        metadata = document.get("metadata")
        known = metadata if isinstance(metadata, dict) else {}
        tree = {part: known[part] for part in ("labels", "annotations") if part in known}
        if "spec" in document:
            tree["spec"] = document["spec"]
        found = merging.leaves(tree)
        if len(found) > _FIELDS:
            message = f"the document has more than {_FIELDS} fields"
            raise ManifestError([Problem(reason=Reason.INVALID, message=message)])
        return Claim(time=self._time(), leaves=found)

    def _time(self) -> str:
        return documents.iso(self._ports.now())

    def _admit(self, document: dict[str, Any], *, present: bool) -> Parsed:
        parsed = parse(document)
        admission.writable(parsed.kind)
        admission.files(parsed, self._ports.blobs, present=present)
        return parsed

    async def _allow(self, parsed: Parsed, current: Record | None) -> None:
        name = parsed.resource.metadata.name
        if current is None:
            admission.creatable(parsed.kind, name)
        elif current.data["metadata"].get("deletionTime"):
            raise refusals.leaving(parsed.kind, name)
        await admission.references(parsed, self._ports.store)

    def _data(self, parsed: Parsed, current: Record | None, claims: Claims) -> dict[str, Any]:
        """The whole document as it will be stored."""
        wanted = parsed.resource.metadata
        before: dict[str, Any] = {} if current is None else current.data
        known = before.get("metadata", {})
        if current is not None and parsed.spec == claiming.whole_spec(current):
            generation, spec = known.get("generation", 1), before.get("spec") or {}
        else:
            generation, spec = known.get("generation", 0) + 1, parsed.spec
        metadata = {
            **known,
            "name": wanted.name,
            "namespace": wanted.namespace,
            "labels": dict(wanted.labels),
            "annotations": dict(wanted.annotations),
            "generation": generation,
            "creationTime": known.get("creationTime") or self._time(),
        }
        return {
            **before,
            "apiVersion": API_VERSION,
            "kind": parsed.kind,
            "metadata": metadata,
            "spec": spec,
            "status": before.get("status") or {},
            merging.KEY: merging.claims_to_json(claims),
        }

    async def _put(
        self, current: Record | None, data: dict[str, Any], verb: str, user: str
    ) -> Record:
        metadata = data["metadata"]
        write = Put(
            kind=data["kind"],
            namespace=metadata["namespace"],
            name=metadata["name"],
            data=data,
            expected=None if current is None else current.resource_version,
        )
        changed = documents.label_changes(current, metadata["labels"])
        detail = f"generation {metadata['generation']}{changed and f', labels {changed}'}"
        act = self._clerk.act(user, verb, place_in(data), detail)
        begun = await admission.begun(data, current, self._ports.store)
        record, *_ = await self._ports.store.commit([write, *begun], act)
        return record


def _merged(document: dict[str, Any], claims: Claims) -> dict[str, Any]:
    """The document with what everybody else applied."""
    metadata = document.get("metadata")
    if not isinstance(metadata, dict):
        return document
    whole = merging.union(claims)
    parts = {part: whole[part] for part in ("labels", "annotations") if part in whole}
    merged = {**document, "metadata": {**metadata, **parts}}
    return {**merged, "spec": whole["spec"]} if "spec" in whole else merged


def _result(current: Record | None, data: dict[str, Any]) -> str:
    """Whose wish a field is does not show in the resource."""
    if current is None:
        return "created"
    shown = {**data, merging.KEY: None} == {**current.data, merging.KEY: None}
    return "unchanged" if shown else "configured"


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
