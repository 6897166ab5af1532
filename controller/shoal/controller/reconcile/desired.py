"""From what the planner tells to the Assignment records that device links deliver."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from shoal.contract import jsonform
from shoal.contract.assignment import Artifact, ArtifactRole, Assignment, Preflight
from shoal.contract.digest import Digest, parse
from shoal.contract.profile import ONNXRUNTIME
from shoal.controller.domain.plan import Tell
from shoal.controller.reconcile.fleet import Member
from shoal.controller.reconcile.world import World, put_over
from shoal.controller.store.port import Put, Record

log = logging.getLogger(__name__)


def writes(
    world: World, everyone: Sequence[Member], deployment: str, tells: Sequence[Tell]
) -> Iterator[Put]:
    """The changes that make every device's record say exactly `tells` for this deployment."""
    told = {one.device: one for one in tells}
    for member in everyone:
        known = world.cache.get("Assignment", member.namespace, member.name)
        before = known.data["deployments"].get(deployment) if known else None
        tell = told.get(member.name)
        after = None if tell is None else _assignment(world, member, deployment, tell)
        if tell is not None and after is None:
            continue
        if after != before:
            yield _put(world, member, known, {deployment: after})


def first_write(world: World, member: Member) -> Put | None:
    """The empty desired state of a device that has none, so that it learns how often to speak."""
    known = world.cache.get("Assignment", member.namespace, member.name)
    cadence = (world.cadence.heartbeat_s, world.cadence.telemetry_window_s)
    if known and (known.data["heartbeat_s"], known.data["telemetry_window_s"]) == cadence:
        return None
    return _put(world, member, known, {})


def _put(world: World, member: Member, known: Record | None, changes: Mapping[str, Any]) -> Put:
    deployments = {**(known.data["deployments"] if known else {}), **changes}
    data = {
        "version": (known.data["version"] if known else 0) + 1,
        "deployments": {key: one for key, one in deployments.items() if one is not None},
        "telemetry_window_s": world.cadence.telemetry_window_s,
        "heartbeat_s": world.cadence.heartbeat_s,
        **({"trials": known.data["trials"]} if known and known.data.get("trials") else {}),
    }
    return put_over(known, "Assignment", (member.namespace, member.name), data)


def trial_writes(told: Record, model: str, trials: Mapping[str, Any]) -> Iterator[Put]:
    """The change, if any, that makes a device's record say exactly these trials of this Model."""
    known = told.data.get("trials") or {}
    others = {key: one for key, one in known.items() if one["assignment"]["model"] != model}
    wanted = others | dict(trials)
    if wanted == known:
        return
    rest = {key: one for key, one in told.data.items() if key != "trials"}
    data = {**rest, "version": told.data["version"] + 1, **({"trials": wanted} if wanted else {})}
    yield put_over(told, "Assignment", (told.namespace, told.name), data)


def _assignment(world: World, member: Member, deployment: str, tell: Tell) -> dict[str, Any] | None:
    """The assignment as JSON; None when what it needs of an archive is gone: the told stays."""
    target = tell.target
    name = f"{target.model}.{target.model_revision}"
    revision = world.cache.get("ModelRevision", member.namespace, name)
    found = revision and revision.data["classes"].get(target.profile_class, {}).get("archive")
    points = found["points"] if found else ()
    if not revision or all(one["digest"] != target.variant for one in points):
        log.error("%s: %s of %s is gone", deployment, target.variant, name)
        return None
    # Every pass asks for every device's assignment again, and few have changed.
    inputs = (tell, member.profile.runtime, revision.resource_version)
    device = world.cache.get("Device", member.namespace, member.name) or revision
    return world.cache.derived(
        device,
        f"assignment of {deployment}",
        inputs,
        lambda: _document(world, member, deployment, (tell, revision)),
    )


def _document(
    world: World, member: Member, deployment: str, told: tuple[Tell, Record]
) -> dict[str, Any]:
    tell, revision = told
    target, runtime = tell.target, member.profile.runtime
    found = revision.data["classes"][target.profile_class]["archive"]
    point = next(one for one in found["points"] if one["digest"] == target.variant)
    value = Assignment(
        deployment=deployment,
        model=target.model,
        revision=target.revision,
        generation=tell.generation,
        variant=target.variant,
        artifacts=artifacts_of(world, revision, found, point),
        engine=point.get("runtime", ONNXRUNTIME),
        providers=runtime.providers,
        threads=runtime.threads,
        output=found["output"],
        soak_s=target.soak_s,
        shadow_share=target.shadow_ppm / 1_000_000,
        shadow_s=target.shadow_s,
        preflight=Preflight(budget=target.budget, max_latency_ratio=target.max_latency_ratio),
    )
    document: dict[str, Any] = jsonform.to_json(value)
    return document


def artifacts_of(
    world: World, revision: Record, archive: Mapping[str, Any], point: Mapping[str, Any]
) -> tuple[Artifact, ...]:
    """The files that travel with a point of an archive."""
    name = f"model.{point.get('format', 'onnx')}"  # what was stored before there were others
    files = [_file(ArtifactRole.MODEL, name, Digest(point["digest"]), point["bytes"])]
    for role, name, one in (
        (ArtifactRole.GOLDEN, "golden.npz", archive["golden"]),
        (ArtifactRole.REFERENCE, "reference.npz", point["reference"]),
    ):
        if one:
            files.append(_file(role, name, Digest(one["digest"]), one["bytes"]))
    for text in revision.data["spec"].get("assets") or ():
        name, _, asset = text.partition("=")
        digest = parse(asset)
        files.append(_file(ArtifactRole.ASSET, name, digest, world.blobs.size(digest)))
    return tuple(files)


def _file(role: ArtifactRole, name: str, digest: Digest, size_bytes: int) -> Artifact:
    return Artifact(role=role, name=name, digest=digest, size_bytes=size_bytes)
