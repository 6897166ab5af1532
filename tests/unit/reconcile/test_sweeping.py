"""What nobody refers to goes, and only after its time."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from shoal.contract import digest as digests
from shoal.contract.digest import Digest
from shoal.controller.reconcile import archives
from shoal.controller.reconcile.sweeping import MARK, Sweeper
from shoal.controller.store.blobs import Blobs
from shoal.controller.store.memory import MemoryStore
from shoal.controller.store.port import Delete, Put

DAY_S = 86_400.0
CLASS = "0a" * 8


@dataclass
class Yard:
    """A sweeper with its store, its blobs and a clock that tests move."""

    store: MemoryStore
    blobs: Blobs
    folder: Path
    now_s: float

    async def sweep(self, after_s: float = 0.0) -> None:
        self.now_s += after_s
        await Sweeper(
            store=self.store, litter=self.blobs, now=lambda: self.now_s, retention_s=7 * DAY_S
        ).sweep()

    async def blob(self, text: str) -> Digest:
        file = self.folder / "source"
        file.write_text(text)
        digest = await self.blobs.put_file(file)
        # Blobs are dated by this machine's clock; the tests' own begins there.
        self.now_s = max(self.now_s, self.blobs.path(digest).stat().st_mtime)
        return digest

    async def put(self, kind: str, name: str, data: dict[str, Any]) -> None:
        records = (await self.store.list(kind)).records
        known = {one.name: one.resource_version for one in records}
        write = Put(kind=kind, namespace="default", name=name, data=data, expected=known.get(name))
        await self.store.commit([write])

    async def end(self, kind: str, name: str) -> None:
        write = Delete(kind=kind, namespace="default", name=name, expected=None)
        await self.store.commit([write])

    async def revision(self, *points: Digest, name: str = "digits.1") -> None:
        archive = {"points": [{"digest": one} for one in points]}
        classes = {CLASS: {"state": "Ready", "archive": archive}}
        await self.put("ModelRevision", name, {"model": "digits", "classes": classes})

    async def variant(self, digest: Digest) -> str:
        name = archives.variant_name({"digest": digest}, CLASS)
        await self.put("Variant", name, {"status": {"digest": digest}})
        return name

    async def variants(self) -> dict[str, bool]:
        """Whether each is marked, by name."""
        records = (await self.store.list("Variant")).records
        return {one.name: MARK in one.data["status"] for one in records}


Story = Callable[[Yard], Coroutine[Any, Any, None]]


@pytest.fixture
def in_yard(tmp_path: Path) -> Callable[[Story], None]:
    def run(story: Story) -> None:
        asyncio.run(story(Yard(MemoryStore(), Blobs(tmp_path / "data"), tmp_path, 0.0)))

    return run


def test_a_variant_goes_a_retention_time_after_its_last_archive(
    in_yard: Callable[[Story], None],
) -> None:
    async def story(yard: Yard) -> None:
        a, b = await yard.blob("a"), await yard.blob("b")
        await yard.revision(a, b)
        first, second = await yard.variant(a), await yard.variant(b)
        await yard.sweep()
        assert await yard.variants() == {first: False, second: False}
        await yard.revision(b)
        await yard.sweep(DAY_S)
        assert await yard.variants() == {first: True, second: False}
        await yard.sweep(6.9 * DAY_S)
        assert first in await yard.variants()
        await yard.sweep(0.2 * DAY_S)
        assert await yard.variants() == {second: False}

    in_yard(story)


def test_a_variant_that_an_archive_holds_again_is_kept(in_yard: Callable[[Story], None]) -> None:
    async def story(yard: Yard) -> None:
        a = await yard.blob("a")
        name = await yard.variant(a)
        await yard.sweep()
        assert await yard.variants() == {name: True}
        await yard.revision(a)
        await yard.sweep(8 * DAY_S)
        assert await yard.variants() == {name: False}
        before = (await yard.store.kept())[-1]
        await yard.sweep(8 * DAY_S)
        assert (await yard.store.kept())[-1] == before

    in_yard(story)


def test_a_blob_goes_a_retention_time_after_the_last_record_that_names_it(
    in_yard: Callable[[Story], None],
) -> None:
    async def story(yard: Yard) -> None:
        used, loose = await yard.blob("used"), await yard.blob("loose")
        await yard.put("Model", "digits", {"spec": {"assets": [f"labels.txt={used}"]}})
        await yard.sweep(6 * DAY_S)
        assert yard.blobs.has(loose)
        await yard.sweep(2 * DAY_S)
        assert (yard.blobs.has(used), yard.blobs.has(loose)) == (True, False)
        await yard.end("Model", "digits")
        await yard.sweep(6 * DAY_S)
        assert yard.blobs.has(used)
        await yard.sweep(2 * DAY_S)
        assert not yard.blobs.has(used)

    in_yard(story)


def test_what_a_device_is_told_keeps_its_blob(in_yard: Callable[[Story], None]) -> None:
    async def story(yard: Yard) -> None:
        digest = await yard.blob("model")
        told = {"default/d": {"artifacts": [{"digest": digest}]}}
        await yard.put("Assignment", "cam", {"deployments": told})
        await yard.sweep(100 * DAY_S)
        assert yard.blobs.has(digest)

    in_yard(story)


def test_asking_for_a_blob_keeps_it_for_the_manifest_that_follows(
    in_yard: Callable[[Story], None],
) -> None:
    async def story(yard: Yard) -> None:
        digest = await yard.blob("old")
        yard.now_s += 6 * DAY_S
        await yard.sweep()
        assert yard.blobs.reserve(digest)
        asked_s = yard.blobs.path(digest).stat().st_mtime
        yard.now_s = asked_s + 6.9 * DAY_S
        await yard.sweep()
        assert yard.blobs.has(digest)
        assert not yard.blobs.reserve(digests.of_bytes(b"never sent"))

    in_yard(story)


def test_a_store_of_many_records_is_read_in_parts(in_yard: Callable[[Story], None]) -> None:
    async def story(yard: Yard) -> None:
        digest = await yard.blob("last")
        sources = ["" for _ in range(1_000)] + [digest]
        writes = [
            Put(
                kind="Model",
                namespace="default",
                name=f"m{number:05d}",
                data={"spec": {"source": source}},
                expected=None,
            )
            for number, source in enumerate(sources)
        ]
        await yard.store.commit(writes)
        await yard.sweep(8 * DAY_S)
        assert yard.blobs.has(digest)

    in_yard(story)
