"""What a device would have to fetch: the files of a variant, less those that it holds."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from shoal.contract.digest import Digest
from shoal.contract.report import DeploymentReport, Phase
from shoal.controller.deciding.foreseeing import Forecast
from shoal.controller.reconcile import desired, revisions
from shoal.controller.reconcile.fleet import Member
from shoal.controller.reconcile.world import World
from shoal.controller.store.port import Record

Files = dict[Digest, int]  # bytes by digest

# A device that failed may have failed to fetch; these have everything.
_FETCHED = frozenset(
    {Phase.PREFLIGHT, Phase.SOAKING, Phase.CONFIRMED, Phase.REFUSED, Phase.LOCAL_ROLLBACK}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipment:
    """Bytes to move for each variant that a device may get, and its free bytes where known."""

    bytes_of: dict[Digest, int]
    free_bytes: int | None


class _Shelf:
    """The files of variants, looked up once for each."""

    def __init__(self, world: World, namespace: str) -> None:
        self._world = world
        self._namespace = namespace
        self._known: dict[tuple[str, int, Digest], Files] = {}

    def files(self, model: str, number: int, variant: Digest) -> Files:
        """The files that travel with a variant of one revision; none where its archive is gone."""
        key = (model, number, variant)
        if key not in self._known:
            record = self._world.cache.get("ModelRevision", self._namespace, f"{model}.{number}")
            self._known[key] = {} if record is None else self._read(record, variant)
        return self._known[key]

    def anywhere(self, model: str, variant: Digest) -> Files:
        """The files of a variant by whichever revision of the model has it, the newest first."""
        for record in reversed(revisions.of_model(self._world.cache, self._namespace, model)):
            found = self.files(model, int(record.data["number"]), variant)
            if found:
                return found
        return {}

    def _read(self, record: Record, variant: Digest) -> Files:
        for one in record.data["classes"].values():
            archive = one.get("archive") or {"points": ()}
            for point in archive["points"]:
                if point["digest"] == variant:
                    found = desired.artifacts_of(self._world, record, archive, point)
                    return {file.digest: file.size_bytes for file in found}
        return {}


def of(
    world: World, deployment: Record, found: Forecast, everyone: Sequence[Member]
) -> dict[str, Shipment]:
    """For each device of the forecast what its variant and each fall would move."""
    shelf = _Shelf(world, deployment.namespace)
    members = {one.name: one for one in everyone}
    current = found.plan.record.current
    shipments = {}
    for device in found.devices:
        member = members.get(device.device)
        wanted = [one for one in (device.variant, *device.may_fall_to) if one is not None]
        if member is None or current is None:
            continue
        held = _held(world, shelf, member)
        content = current.content
        shipments[device.device] = Shipment(
            bytes_of={
                one: _missing(shelf.files(content.model, content.model_revision, one), held)
                for one in wanted
            },
            free_bytes=member.report.hardware.disk_free_bytes if member.report else None,
        )
    return shipments


def _held(world: World, shelf: _Shelf, member: Member) -> set[Digest]:
    """The files of every variant whose files the device keeps.

    It keeps those of what it runs, of the slot before, and of the newest assignment once that was
    fetched, whatever came of it (invariant I2 of the agent).
    """
    held: set[Digest] = set()
    told = world.cache.get("Assignment", member.namespace, member.name)
    assignments = told.data["deployments"] if told else {}
    for report in member.report.deployments if member.report else ():
        assignment = assignments.get(report.deployment)
        model = assignment["model"] if assignment else report.running_model
        for variant in _kept(report):
            if assignment and assignment["variant"] == variant:
                held |= {Digest(one["digest"]) for one in assignment["artifacts"]}
            else:
                held |= set(shelf.anywhere(report.running_model or model, variant))
    return held


def _kept(report: DeploymentReport) -> Iterator[Digest]:
    if report.running is not None:
        yield report.running
    if report.previous is not None:
        yield report.previous
    if report.phase in _FETCHED:
        yield report.variant


def _missing(files: Files, held: set[Digest]) -> int:
    return sum(size for digest, size in files.items() if digest not in held)
