"""A Deployment that begins to use a Model and the Model's deletion: one of them gives way."""

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from shoal.contract.problem import ConflictError, NotFoundError
from shoal.controller.api.deleting import Deleter
from shoal.controller.api.writing import How, Writer
from shoal.controller.store.acts import Act
from shoal.controller.store.memory import MemoryStore
from shoal.controller.store.port import Delete, Put, Record, Write
from tests.unit.api.conftest import some_ports
from tests.unit.api.documents import a_deployment

PLACE = ("default", "digits")
Meanwhile = Callable[[], Awaitable[object]]


class Contended(MemoryStore):
    """A store in which something else happens just before the first commit of a kind."""

    def __init__(self) -> None:
        super().__init__()
        self._before: dict[str, Meanwhile] = {}
        self._after: dict[str, Write] = {}

    def before_first(self, kind: str, meanwhile: Meanwhile) -> None:
        self._before[kind] = meanwhile

    def after_next(self, kind: str, write: Write) -> None:
        """Have `write` happen just after the next commit of this kind."""
        self._after[kind] = write

    async def commit(self, writes: Sequence[Write], act: Act | None = None) -> tuple[Record, ...]:
        for write in writes[:1]:
            meanwhile = self._before.pop(write.kind, None)
            if meanwhile is not None:
                await meanwhile()
        written = await super().commit(writes, act)
        after = self._after.pop(writes[0].kind, None) if writes else None
        if after is not None:
            await super().commit([after])
        return written


@dataclasses.dataclass
class Scene:
    store: Contended
    writer: Writer
    deleter: Deleter

    async def begin(self) -> object:
        return await self.writer.apply(a_deployment(), How(user="ann"))

    async def end(self) -> object:
        return await self.deleter.delete("Model", PLACE, "bob", cascade=False)

    async def has(self, kind: str) -> bool:
        try:
            await self.store.get(kind, *PLACE)
        except NotFoundError:
            return False
        return True


async def a_scene(data: Path) -> Scene:
    ports, _world = some_ports(data)
    store = Contended()
    ports = dataclasses.replace(ports, store=store)
    source, calibration, evaluation = ("sha256:" + letter * 64 for letter in "abc")
    model: dict[str, Any] = {
        "kind": "Model",
        "metadata": {"name": PLACE[1], "namespace": PLACE[0]},
        "spec": {
            "source": source,
            "data": {"calibration": calibration, "evaluation": evaluation},
        },
    }
    await store.commit(
        [Put(kind="Model", namespace=PLACE[0], name=PLACE[1], data=model, expected=None)]
    )
    return Scene(store, Writer(ports), Deleter(ports))


def test_a_model_deleted_before_the_commit_is_gone_for_the_deployment(tmp_path: Path) -> None:
    async def story() -> None:
        scene = await a_scene(tmp_path)
        await scene.store.commit([a_user_of_the_model("other")])
        marked = scene.deleter.delete("Model", PLACE, "bob", cascade=True)

        async def mark() -> None:
            await marked

        scene.store.before_first("Deployment", mark)
        with pytest.raises(ConflictError, match="Model digits is being deleted"):
            await scene.begin()
        assert not await scene.has("Deployment")

    asyncio.run(story())


def test_a_deployment_that_comes_before_the_mark_keeps_its_model(tmp_path: Path) -> None:
    async def story() -> None:
        scene = await a_scene(tmp_path)
        scene.store.before_first("Model", scene.begin)
        with pytest.raises(ConflictError, match="in use by digits"):
            await scene.end()
        model = await scene.store.get("Model", *PLACE)
        assert "deletionTime" not in model.data["metadata"]
        assert await scene.has("Deployment")

    asyncio.run(story())


def test_a_whole_deletion_between_look_and_commit_is_noticed(tmp_path: Path) -> None:
    async def story() -> None:
        scene = await a_scene(tmp_path)
        scene.store.before_first("Deployment", scene.end)
        written = await scene.writer.apply(a_deployment(), How(user="ann"))
        assert not await scene.has("Model")
        assert "model digits does not exist now; the rollout waits for it" in written.warnings

    asyncio.run(story())


def test_only_the_write_that_begins_to_use_the_model_touches_it(tmp_path: Path) -> None:
    async def story() -> None:
        scene = await a_scene(tmp_path)
        await scene.begin()
        before = await scene.store.get("Model", *PLACE)
        strategy = {"deviceTimeout": "11m"}
        await scene.writer.apply(a_deployment(strategy=strategy), How(user="ann"))
        assert await scene.store.get("Model", *PLACE) == before

    asyncio.run(story())


@pytest.mark.parametrize("kind", ["Model", "Deployment"])
def test_what_a_pass_removes_at_once_was_deleted_all_the_same(tmp_path: Path, kind: str) -> None:
    async def story() -> None:
        scene = await a_scene(tmp_path)
        if kind == "Deployment":
            await scene.begin()
        scene.store.after_next(
            kind, Delete(kind=kind, namespace=PLACE[0], name=PLACE[1], expected=None)
        )
        deleted = await scene.deleter.delete(kind, PLACE, "bob", cascade=False)
        assert deleted["metadata"]["deletionTime"]
        assert not await scene.has(kind)

    asyncio.run(story())


def a_user_of_the_model(name: str) -> Put:
    data = {**a_deployment(), "metadata": {"name": name, "namespace": "default"}}
    return Put(kind="Deployment", namespace="default", name=name, data=data, expected=None)
