"""Whatever is asked of them, both backends answer the same."""

import asyncio
import functools
import itertools
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from shoal.contract.problem import ProblemError
from shoal.controller.store.database import open_sqlite
from shoal.controller.store.memory import MemoryStore
from shoal.controller.store.port import Change, Delete, Put, Store, Write
from shoal.controller.store.sqlite import SqliteStore

HISTORY = 6
_names = st.sampled_from(["a", "b"])
_expected = st.none() | st.integers(0, 8)
_puts = st.builds(
    Put,
    kind=st.sampled_from(["Box", "Cup"]),
    namespace=st.sampled_from(["x", "y"]),
    name=_names,
    data=st.dictionaries(st.text(max_size=3), st.none() | st.integers() | st.text(max_size=3)),
    expected=_expected,
)
_deletes = st.builds(
    Delete, kind=st.just("Box"), namespace=st.just("x"), name=_names, expected=_expected
)
_commits = st.lists(st.lists(_puts | _deletes, max_size=3), max_size=8)


async def answers(store: Store, commits: list[list[Write]]) -> list[object]:
    """Everything that can be seen of `store` while the commits run."""
    seen: list[object] = []
    for commit in commits:
        try:
            seen.append(await store.commit(commit))
        except ProblemError as error:
            seen.append((type(error), error.problem))
        seen.append([await store.list(kind) for kind in ("Box", "Cup")])
        kept = await store.kept()
        seen.append(kept)
        seen.append(await history(store, kept.start))
    return seen


async def history(store: Store, since: int) -> list[Change]:
    newest = (await store.list("Box")).resource_version
    changes = store.changes(since)
    return [await anext(changes) for _ in range(newest - since)]


@functools.cache
def empty_database() -> bytes:
    """A migrated file: migrating it anew for every example would take most of the time."""
    with tempfile.TemporaryDirectory() as folder:

        async def make() -> None:
            await (await open_sqlite(Path(folder) / "shoal.db")).close()

        asyncio.run(make())
        return (Path(folder) / "shoal.db").read_bytes()


def uids() -> "itertools.count[int]":
    return itertools.count()


@settings(max_examples=40, deadline=None)
@given(_commits)
def test_memory_and_sqlite_cannot_be_told_apart(commits: list[list[Write]]) -> None:
    async def run(folder: Path) -> None:
        counted = uids()
        memory = MemoryStore(history=HISTORY, new_uid=lambda: f"u{next(counted)}")
        wanted = await answers(memory, commits)
        again = uids()
        database = await open_sqlite(folder / "shoal.db")
        try:
            sqlite = SqliteStore(database, history=HISTORY, new_uid=lambda: f"u{next(again)}")
            assert await answers(sqlite, commits) == wanted
        finally:
            await database.close()

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "shoal.db").write_bytes(empty_database())
        asyncio.run(run(Path(folder)))
