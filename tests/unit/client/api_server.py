"""A small operators' API over real HTTP, for tests of what talks to it.

It keeps resources with the rules that clients rely on: one store-wide version, compare-and-swap on
PUT, apply that says unchanged, NDJSON watches, resumable blobs, the error body. What a controller
concludes is written by the test with `store`; every request is kept in `requests`.
"""

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from typing import Any

from tests.unit.client.api_handler import Handler

Resource = dict[str, Any]
Key = tuple[str, str, str]


class ApiServer(ThreadingHTTPServer):
    """The server and what it holds; `address` is its URL."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.resources: dict[Key, Resource] = {}
        self.history: list[tuple[int, str, Resource]] = []
        self.compacted = 0
        self.blobs: dict[str, bytes] = {}
        self.partial: dict[str, bytes] = {}
        self.revisions: list[dict[str, Any]] = []
        self.waves: list[dict[str, Any]] = []
        self.entries: list[Resource] = []
        self.proof: Resource = {"intact": True, "entries": 0, "broken": None, "head": None}
        self.plans: list[Resource] = []
        self.differences: list[Resource] = []
        self.whys: dict[tuple[str, str], Resource] = {}
        self.decisions: list[Resource] = []
        self.warnings: list[str] = []
        self.requests: list[str] = []
        self.bodies: list[Any] = []
        self.conflicts_to_come = 0
        self.cut_uploads_after = -1
        self.page_items = 500
        self.changed = threading.Condition()
        self.watchers = 0
        self.is_open = True
        self.pulse_s: float | None = None  # how often a quiet watch says that it is there

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def version(self) -> int:
        return self.history[-1][0] if self.history else 0

    def store(self, resource: Resource) -> Resource:
        """Keeps `resource` as if the controller had written it."""
        metadata = resource["metadata"]
        key = (resource["kind"], metadata.setdefault("namespace", "default"), metadata["name"])
        with self.changed:
            kind = "MODIFIED" if key in self.resources else "ADDED"
            metadata["resourceVersion"] = str(self.version + 1)
            metadata.setdefault("generation", 1)
            self.resources[key] = json.loads(json.dumps(resource))
            self.history.append((self.version + 1, kind, self.resources[key]))
            self.changed.notify_all()
            return self.resources[key]

    def remove(self, key: Key) -> None:
        with self.changed:
            gone = self.resources.pop(key)
            self.history.append((self.version + 1, "DELETED", gone))
            self.changed.notify_all()

    @contextlib.contextmanager
    def once_watched(self, *resources: Resource) -> Iterator[None]:
        """Inside, these are stored one after the other as soon as somebody watches."""

        def wait_and_store() -> None:
            with self.changed:
                self.changed.wait_for(lambda: self.watchers > 0, timeout=30)
            for resource in resources:
                self.store(resource)

        thread = threading.Thread(target=wait_and_store)
        thread.start()
        try:
            yield
        finally:
            thread.join()

    def end_watches(self) -> None:
        with self.changed:
            self.is_open = False
            self.changed.notify_all()


@contextlib.contextmanager
def serving(port: int = 0) -> Iterator[ApiServer]:
    """A running server."""
    server = ApiServer(port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.end_watches()
        server.shutdown()
        server.server_close()
        thread.join()
