"""What a search found belongs to the content that was searched."""

import asyncio
from pathlib import Path

from shoal.contract.problem import FailedError, Problem
from shoal.contract.profile import ClassProfile
from shoal.controller.reconcile.jobs import JobRequest, JobResult
from shoal.controller.reconcile.models import Searches
from shoal.controller.reconcile.revisions import Need, new_revision
from shoal.controller.reconcile.world import Cadence, World
from shoal.controller.store.blobs import Blobs
from shoal.controller.store.memory import MemoryStore
from shoal.controller.store.port import Record

PROFILE = ClassProfile(
    arch="x86_64",
    isa=("avx2",),
    engine="onnxruntime",
    engine_version="1.31.1",
    providers=("CPUExecutionProvider",),
    precisions=("int8", "fp32"),
    threads=1,
    speed_tier=0,
)


class RefusingJobs:
    """Refuses every search at once, which is an answer too."""

    async def run(self, request: JobRequest) -> JobResult:
        """Never succeeds."""
        raise FailedError(Problem(reason="Refused", message=dict(request.files)["model"]))


def a_revision(letter: str) -> Record:
    """The first revision of the Model digits, from the source `letter`."""
    spec = {
        "source": f"sha256:{letter * 64}",
        "quality": {},
        "data": {},
        "compression": {"effort": "quick", "methods": [], "objective": "accuracy", "seed": 0},
    }
    return Record(
        kind="ModelRevision",
        namespace="default",
        name="digits.1",
        uid=letter,
        resource_version=1,
        data=new_revision("digits", 1, spec),
    )


def test_a_search_of_a_deleted_model_is_not_taken_for_its_namesake(tmp_path: Path) -> None:
    async def story() -> None:
        world = World(
            store=MemoryStore(),
            blobs=Blobs(tmp_path),
            jobs=RefusingJobs(),
            now=lambda: 0.0,
            cadence=Cadence(heartbeat_s=1, telemetry_window_s=1),
        )
        searches = Searches(world, lambda _key: None)
        old, new = a_revision("a"), a_revision("d")
        searches.start(old, Need(profile=PROFILE))
        await searches.idle()
        assert searches.take(new) == {}
        searches.start(
            new, Need(profile=PROFILE)
        )  # the same name and class, and yet another search
        await searches.idle()
        assert searches.take(new)[PROFILE.name]["message"] == new.data["source"]
        searches.taken(new, PROFILE.name)
        assert searches.take(new) == {}

    asyncio.run(story())
