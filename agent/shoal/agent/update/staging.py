"""Survey, fetch and probe: everything before the engine is asked."""

import asyncio
from dataclasses import dataclass
from weakref import WeakValueDictionary

from shoal.agent.core import events as ev
from shoal.agent.core.effects import Fetch, Probe, Survey
from shoal.agent.core.ports import Link, Prober, ProbeRequest
from shoal.agent.errors import LinkError, ProbeError, StageError
from shoal.agent.update.blobs import BlobStore
from shoal.contract.assignment import Artifact, ArtifactRole, Assignment
from shoal.contract.digest import Digest
from shoal.contract.reason import Reason


@dataclass(slots=True)
class _Received:
    """Bytes received by one fetch so far, also where it breaks off."""

    count: int = 0


class Staging:
    """Brings artifacts to the blob store and proves candidates.

    Deployments may share an artifact: one of them fetches it. One candidate is proved at a time,
    because latencies measured side by side would say nothing.
    """

    def __init__(self, link: Link, prober: Prober, blobs: BlobStore) -> None:
        self._link = link
        self._prober = prober
        self._blobs = blobs
        self._fetching: WeakValueDictionary[Digest, asyncio.Lock] = WeakValueDictionary()
        self._proving = asyncio.Lock()

    def beside(self, blobs: BlobStore) -> "Staging":
        """Another one with a store of its own, that waits its turn to prove a candidate."""
        other = Staging(self._link, self._prober, blobs)
        other._proving = self._proving
        return other

    async def survey(self, effect: Survey) -> ev.Surveyed:
        """What is missing; blobs of an earlier process are read once more, off the loop."""
        found = await asyncio.to_thread(self._blobs.survey, effect.artifacts)
        return ev.Surveyed(
            deployment=effect.deployment,
            ticket=effect.ticket,
            missing=found.missing,
            missing_bytes=found.missing_bytes,
            free_bytes=found.free_bytes,
        )

    async def fetch(self, effect: Fetch) -> ev.Fetched | ev.FetchFailed:
        """Everything that is not complete yet, each from where it broke off."""
        received = _Received()
        try:
            for artifact in effect.artifacts:
                async with self._fetching.setdefault(artifact.digest, asyncio.Lock()):
                    await self._fetch_one(artifact, received)
        except (LinkError, StageError) as error:
            return ev.FetchFailed(
                deployment=effect.deployment,
                ticket=effect.ticket,
                reason=error.reason,
                message=error.message,
                received_bytes=received.count,
            )
        return ev.Fetched(
            deployment=effect.deployment, ticket=effect.ticket, received_bytes=received.count
        )

    async def _fetch_one(self, artifact: Artifact, received: _Received) -> None:
        if self._blobs.has(artifact.digest):
            return
        offset = self._blobs.partial_bytes(artifact.digest)
        while offset < artifact.size_bytes:
            before = offset
            async for data in self._link.fetch(artifact.digest, offset):
                offset = self._blobs.append(artifact, data)
                received.count += len(data)
            if offset == before:
                message = f"{artifact.digest} ended {artifact.size_bytes - offset} bytes early"
                raise StageError(Reason.FETCH_FAILED, message)
        await asyncio.to_thread(self._blobs.finish, artifact)

    async def probe(self, effect: Probe) -> ev.Probed | ev.ProbeFailed:
        """Prove a candidate in a child."""
        request = self._request(effect.assignment, effect.active)
        try:
            async with self._proving:
                found = await self._prober.probe(request)
        except ProbeError as error:
            return ev.ProbeFailed(
                deployment=effect.deployment,
                ticket=effect.ticket,
                reason=error.reason,
                message=error.message,
                result=error.result,
            )
        return ev.Probed(
            deployment=effect.deployment,
            ticket=effect.ticket,
            result=found.result,
            active_answers=found.active_answers,
        )

    def _request(self, assignment: Assignment, active: Digest | None) -> ProbeRequest:
        golden = assignment.artifact(ArtifactRole.GOLDEN)
        reference = assignment.artifact(ArtifactRole.REFERENCE)
        path = self._blobs.path
        return ProbeRequest(
            candidate=path(assignment.variant),
            active=None if active is None else path(active),
            golden=None if golden is None else path(golden.digest),
            reference=None if reference is None else path(reference.digest),
            limits=assignment.preflight,
            providers=assignment.providers,
            threads=assignment.threads,
            output=assignment.output,
        )
