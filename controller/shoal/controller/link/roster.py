"""Who is enrolled and what each should run, in memory, from the store's own changes.

Answers authentication and desired state without touching the database. A device whose resource is
deleted loses its identity here, and with it every link.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from shoal.contract import jsonform
from shoal.contract.assignment import Assignment, DesiredState, Trial
from shoal.contract.problem import ForbiddenError, NotFoundError, Problem
from shoal.contract.reason import Reason
from shoal.controller.errors import GoneError
from shoal.controller.link import observations
from shoal.controller.store.bell import Bell
from shoal.controller.store.port import Change, Delete, Record, Store

IDENTITY = "Identity"  # no namespace: device ids are unique in a controller
ASSIGNMENT = "Assignment"
_DEVICE = "Device"
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """One enrolled device; `secret` is its stored form (see `credentials`).

    A revoked one opens no link any more; it is kept so that its key is known when it comes again.
    """

    device: str
    namespace: str
    secret: str
    key_sha256: str
    token_sha256: str
    revoked: bool = False


OnIdentity = Callable[[str, str | None], Awaitable[None]]  # device, stored secret or None when gone
OnDesired = Callable[[str], None]


class Roster:
    """A view of the kinds Identity and Assignment; `start` fills it before anybody asks."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._identities: dict[str, Identity] = {}
        self._revoked: dict[str, Identity] = {}
        self._desired: dict[str, DesiredState] = {}
        self._bells: dict[str, Bell] = {}
        self._on_identity: list[OnIdentity] = []
        self._on_desired: list[OnDesired] = []
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Read everything, then keep following."""
        since = await self._load()
        self._task = asyncio.create_task(self._follow(since), name="link roster")

    async def close(self) -> None:
        """Stop following."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def listen(self, on_identity: OnIdentity, on_desired: OnDesired) -> None:
        """Be told of every identity that comes or goes, and of every changed desired state."""
        self._on_identity.append(on_identity)
        self._on_desired.append(on_desired)

    def secrets(self) -> dict[str, str]:
        """The stored secret of every enrolled device."""
        return {device: one.secret for device, one in self._identities.items()}

    def identity(self, device: str) -> Identity:
        """Who `device` is.

        Raises:
            ForbiddenError: it is not enrolled, or not any more.
        """
        found = self._identities.get(device)
        if found is None:
            raise ForbiddenError(
                Problem(
                    reason=Reason.FORBIDDEN,
                    message=f"device {device!r} is not enrolled",
                    hint="enrol it with a join token: shoal-agent enroll --server … --token …",
                )
            )
        return found

    def with_key(self, key_sha256: str, token_sha256: str) -> Identity | None:
        """The device that enrolled with this key and this token."""
        return next(
            (
                one
                for one in self._identities.values()
                if (one.key_sha256, one.token_sha256) == (key_sha256, token_sha256)
            ),
            None,
        )

    def is_revoked(self, key_sha256: str) -> bool:
        """Whether a device with this key was revoked."""
        return any(one.key_sha256 == key_sha256 for one in self._revoked.values())

    def desired(self, device: str) -> DesiredState:
        """What `device` should run now; version 0 and empty before anything was decided.

        Raises:
            ForbiddenError: it is not enrolled, or not any more.
        """
        self.identity(device)
        return self._desired.get(device) or DesiredState(device=device, version=0)

    def bell(self, device: str) -> Bell:
        """Rings when the device's desired state changes or its identity goes."""
        return self._bells.setdefault(device, Bell())

    async def learn(self, record: Record) -> None:
        """Take in an identity at once, and return when everybody listening knows it."""
        identity = jsonform.from_json(Identity, record.data)
        if identity.revoked:
            self._revoked[identity.device] = identity
            await self._lose(identity.device)
            return
        if self._identities.get(identity.device) != identity:
            self._identities[identity.device] = identity
            for tell in self._on_identity:
                await tell(identity.device, identity.secret)

    async def _load(self) -> int:
        identities = await self._store.list(IDENTITY)
        for record in identities.records:
            await self.learn(record)
        assignments = (await self._store.list(ASSIGNMENT)).records
        for record in assignments:
            self._take_desired(record)
        for device in set(self._desired) - {record.name for record in assignments}:
            self._drop_desired(device)
        alive = {record.name for record in (await self._store.list(_DEVICE)).records}
        known = {record.name for record in identities.records}
        for device in {*self._identities, *self._revoked} - known:
            await self._end(device)
        for device in known - alive:
            await self._forget(device)
        return identities.resource_version

    async def _follow(self, since: int) -> None:
        while True:
            try:
                async for change in self._store.changes(since):
                    await self._apply(change)
            except GoneError:
                since = await self._load()

    async def _apply(self, change: Change) -> None:
        record, gone = change.record, change.type == "delete"
        if record.kind == IDENTITY:
            await (self._end(record.name) if gone else self.learn(record))
        elif record.kind == ASSIGNMENT:
            if gone:
                self._drop_desired(record.name)
            else:
                self._take_desired(record)
        elif record.kind == _DEVICE and gone:
            identity = self._known(record.name)
            if identity is not None and identity.namespace == record.namespace:
                await self._forget(record.name)

    def _take_desired(self, record: Record) -> None:
        device = record.name
        try:
            state = desired_state(device, record.data)
        except ValueError:
            _LOG.exception("the assignment of device %s cannot be read; the last one stays", device)
            return
        if self._desired.get(device) != state:
            self._desired[device] = state
            self._desired_changed(device)

    def _drop_desired(self, device: str) -> None:
        if self._desired.pop(device, None) is not None:
            self._desired_changed(device)

    def _desired_changed(self, device: str) -> None:
        self.bell(device).ring()
        for tell in self._on_desired:
            tell(device)

    def _known(self, device: str) -> Identity | None:
        return self._identities.get(device) or self._revoked.get(device)

    async def _end(self, device: str) -> None:
        """The identity is no longer kept."""
        self._revoked.pop(device, None)
        await self._lose(device)

    async def _lose(self, device: str) -> None:
        """No link of the device holds any more."""
        if self._identities.pop(device, None) is None:
            return
        self._desired.pop(device, None)
        self.bell(device).ring()
        self._bells.pop(device, None)
        for tell in self._on_identity:
            await tell(device, None)

    async def _forget(self, device: str) -> None:
        """The resource is gone: so are the identity and what was observed."""
        identity = self._known(device)
        if identity is None:
            return
        namespace = identity.namespace
        for kind, place in (
            (IDENTITY, ""),
            (ASSIGNMENT, namespace),
            (observations.KIND, namespace),
        ):
            try:
                await self._store.commit(
                    [Delete(kind=kind, namespace=place, name=device, expected=None)]
                )
            except NotFoundError:
                continue
        await self._end(device)


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignmentRecord:
    """The data of an Assignment record; `deployments` is keyed by `namespace/name`."""

    version: int
    deployments: dict[str, Assignment]
    telemetry_window_s: float
    heartbeat_s: float
    trials: dict[str, Trial] = field(default_factory=dict)


def desired_state(device: str, data: dict[str, Any]) -> DesiredState:
    """The desired state in an Assignment record.

    Raises:
        ValueError: the record is not of the agreed form.
    """
    record = jsonform.from_json(AssignmentRecord, data)
    return DesiredState(
        device=device,
        version=record.version,
        assignments=tuple(one for _, one in sorted(record.deployments.items())),
        telemetry_window_s=record.telemetry_window_s,
        heartbeat_s=record.heartbeat_s,
        trials=tuple(one for _, one in sorted(record.trials.items())),
    )
