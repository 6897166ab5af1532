"""What the API checks beyond the schema: who may write a kind, and that what it names exists."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from shoal.contract import digest as digests
from shoal.contract import limits
from shoal.contract.problem import ForbiddenError, InvalidError, NotFoundError, Problem
from shoal.contract.reason import Reason
from shoal.controller.api import documents, refusals
from shoal.controller.reconcile import revisions, selection
from shoal.controller.store.blobs import Blobs
from shoal.controller.store.port import Put, Record, Store
from shoal.resources import checks
from shoal.resources.deployment import Deployment
from shoal.resources.errors import ManifestError
from shoal.resources.kinds import WRITTEN_BY_PEOPLE
from shoal.resources.model import Model
from shoal.resources.parsing import Parsed, parse
from shoal.resources.profile import DeviceProfile


def writable(kind: str) -> None:
    """Return if people write this kind.

    Raises:
        ForbiddenError: Shoal writes it.
    """
    if kind not in WRITTEN_BY_PEOPLE:
        raise ForbiddenError(
            Problem(reason=Reason.FORBIDDEN, message=f"{kind} is written by Shoal alone")
        )


def creatable(kind: str, name: str) -> None:
    """Return if people create this kind.

    Raises:
        InvalidError: devices come by enrolment.
    """
    if kind == "Device":
        raise InvalidError(
            Problem(
                reason=Reason.INVALID,
                message=f"device {name} is not enrolled, and only enrolment creates devices",
                field="metadata.name",
                hint="on the device: shoal-agent enroll --server HOST:PORT --token TOKEN",
            )
        )


async def references(parsed: Parsed, store: Store) -> None:
    """Return if what `parsed` names is not on its way out, and can be judged by its gates.

    Raises:
        ConflictError: the Model of a Deployment is being deleted.
        ManifestError: a gate asks for what its metric cannot give.
    """
    if not isinstance(parsed.resource, Deployment):
        return
    ref = revisions.parse_ref(parsed.resource.spec.model)
    try:
        model = await store.get("Model", parsed.resource.metadata.namespace, ref.name)
    except NotFoundError:
        return
    if model.data["metadata"].get("deletionTime"):
        raise refusals.leaving("Model", ref.name)
    judged = _stored_model(await _as_pinned(model, ref, store))
    if problems := list(checks.gate_problems(parsed.resource, judged)):
        raise ManifestError(problems)


async def begun(data: dict[str, Any], current: Record | None, store: Store) -> tuple[Put, ...]:
    """A write that says nothing new, over the Model that the Deployment in `data` begins to use.

    A deletion of the Model between this look and the commit takes its version away, and the
    Deployment is written anew or not at all; the other way round the mark of the deletion is.

    Raises:
        ConflictError: the Model is being deleted.
    """
    if data["kind"] != "Deployment":
        return ()
    name = _model_named(data["spec"])
    if current is not None and model_of(current) == name:
        return ()
    try:
        model = await store.get("Model", data["metadata"]["namespace"], name)
    except NotFoundError:
        return ()
    if model.data["metadata"].get("deletionTime"):
        raise refusals.leaving("Model", name)
    place = {"kind": model.kind, "namespace": model.namespace, "name": model.name}
    return (Put(**place, data=model.data, expected=model.resource_version),)


def model_of(deployment: Record) -> str:
    """The name of the Model that a stored Deployment runs."""
    return _model_named(deployment.data["spec"])


def _model_named(spec: dict[str, Any]) -> str:
    return str(spec["model"]).partition("@")[0]


def files(parsed: Parsed, blobs: Blobs, *, present: bool) -> None:
    """Return if every file that a Model names is a digest, and (`present`) its blob is here.

    Raises:
        ManifestError: a path, or a blob that was not uploaded.
    """
    if isinstance(parsed.resource, Model):
        problems = [
            problem
            for field, text in _files(parsed.spec)
            if (problem := _file_problem(field, text, blobs, present=present)) is not None
        ]
        if problems:
            raise ManifestError(problems)


async def warnings(
    parsed: Parsed, store: Store, models: frozenset[tuple[str, str]] = frozenset()
) -> list[str]:
    """What the writer should know about `parsed` beside what the store and `models` hold."""
    resource = parsed.resource
    found = list(parsed.warnings)
    namespace = resource.metadata.namespace
    if isinstance(resource, Deployment):
        found += await _deployment(resource, store, models)
    if isinstance(resource, DeviceProfile) and not await _any_device(
        store, namespace, parsed.spec["selector"]
    ):
        found.append("the selector matches no device now")
    if isinstance(resource, Model):
        for record in (await store.list("Deployment", namespace)).records:
            if model_of(record) == resource.metadata.name:
                deployment = _stored_deployment(record)
                found += [
                    f"deployment {record.name}: {text}"
                    for text in checks.golden_warnings(deployment, resource)
                ]
    return found


async def _deployment(
    deployment: Deployment, store: Store, models: frozenset[tuple[str, str]]
) -> list[str]:
    found = []
    namespace = deployment.metadata.namespace
    selector = deployment.spec.selector.model_dump(mode="json", by_alias=True)
    if not await _any_device(store, namespace, selector):
        found.append("the selector matches no device now; the rollout waits for one")
    ref = revisions.parse_ref(deployment.spec.model)
    name = ref.name
    try:
        record = await store.get("Model", namespace, name)
    except NotFoundError:
        if (namespace, name) in models:
            return found
        return [*found, f"model {name} does not exist now; the rollout waits for it"]
    if ref.pinned is not None:
        found += await _missing_pin(store, namespace, name, ref.pinned)
    judged = _stored_model(await _as_pinned(record, ref, store))
    return [*found, *checks.golden_warnings(deployment, judged)]


async def _missing_pin(store: Store, namespace: str, model: str, pinned: int) -> list[str]:
    """What is wrong with a pin, if something is."""
    kept = (await store.list("ModelRevision", namespace)).records
    numbers = {int(one.data["number"]) for one in kept if one.data["model"] == model}
    if pinned in numbers:
        return []
    newest = f"the newest is {max(numbers)}" if numbers else "it has none yet"
    return [f"model {model} has no revision {pinned} now, {newest}; the rollout waits for it"]


async def _any_device(store: Store, namespace: str, selector: dict[str, Any]) -> bool:
    devices = (await store.list("Device", namespace)).records
    return any(selection.matches(selector, documents.labels(record)) for record in devices)


def _stored_deployment(record: Record) -> Deployment:
    deployment = parse(documents.resource(record)).resource
    assert isinstance(deployment, Deployment)
    return deployment


async def _as_pinned(model: Record, ref: revisions.ModelRef, store: Store) -> Record:
    """The Model as it was in the revision that is pinned, where that is known."""
    if ref.pinned is None:
        return model
    try:
        kept = await store.get("ModelRevision", model.namespace, f"{ref.name}.{ref.pinned}")
    except NotFoundError:
        return model
    return replace(model, data={**model.data, "spec": kept.data["spec"]})


def _stored_model(record: Record) -> Model:
    model = parse(documents.resource(record)).resource
    assert isinstance(model, Model)
    return model


def _files(spec: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """(field, text) of every file that a Model's spec names."""
    yield "spec.source", spec["source"]
    for name in ("calibration", "evaluation", "train"):
        if spec["data"][name] is not None:
            yield f"spec.data.{name}", spec["data"][name]
    for i, asset in enumerate(spec["assets"]):
        yield f"spec.assets[{i}]", asset.rpartition("=")[2]


def _file_problem(field: str, text: str, blobs: Blobs, *, present: bool) -> Problem | None:
    try:
        digest = digests.parse(text)
    except ValueError:
        return Problem(
            reason=Reason.INVALID,
            message=f"{text!r} is a path, and the controller reads no paths",
            field=field,
            hint="`shoal apply` uploads files and sends their digests",
        )
    if present and not blobs.reserve(digest):
        return Problem(
            reason=Reason.NOT_FOUND,
            message=f"blob {digest} was not uploaded",
            field=field,
            hint="send it first: PATCH /api/v1/blobs/{digest}",
        )
    if present and field.startswith("spec.assets") and blobs.size(digest) > limits.ASSET_BYTES:
        return Problem(
            reason=Reason.INVALID,
            message=f"{text} has {blobs.size(digest)} bytes, an asset at most {limits.ASSET_BYTES}",
            field=field,
            hint="assets travel to every device with every variant: keep them small",
        )
    return None
