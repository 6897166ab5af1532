"""A small operators' API over real HTTP, for tests of what talks to it.

It keeps resources with the rules that clients rely on: one store-wide version, compare-and-swap on
PUT, apply that says unchanged, NDJSON watches, resumable blobs, the error body. What a controller
concludes is written by the test with `store`; every request is kept in `requests`.
"""

import contextlib
import hashlib
import json
import threading
import urllib.parse
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Resource = dict[str, Any]
Key = tuple[str, str, str]

_KINDS = {
    "devices": "Device",
    "deviceprofiles": "DeviceProfile",
    "models": "Model",
    "variants": "Variant",
    "deployments": "Deployment",
    "events": "Event",
}


class ApiServer(ThreadingHTTPServer):
    """The server and what it holds; `address` is its URL."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.resources: dict[Key, Resource] = {}
        self.history: list[tuple[int, str, Resource]] = []
        self.compacted = 0
        self.blobs: dict[str, bytes] = {}
        self.partial: dict[str, bytes] = {}
        self.revisions: list[dict[str, Any]] = []
        self.waves: list[dict[str, Any]] = []
        self.warnings: list[str] = []
        self.requests: list[str] = []
        self.bodies: list[Any] = []
        self.conflicts_to_come = 0
        self.cut_uploads_after = -1
        self.page_items = 500
        self.changed = threading.Condition()
        self.is_open = True

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


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ApiServer

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - named by the base class
        self.server.requests.append(format % args)

    def _dispatch(self) -> None:
        url = urllib.parse.urlsplit(self.path)
        self.query = dict(urllib.parse.parse_qsl(url.query))
        self.parts = [urllib.parse.unquote(p) for p in url.path.removeprefix("/api/v1/").split("/")]
        length = int(self.headers.get("Content-Length", "0"))
        self.body = self.rfile.read(length)
        handler = getattr(self, f"_{self.command.lower()}_{self.parts[0]}", None)
        if handler is None:
            handler = getattr(self, f"_{self.command.lower()}_kind", None)
        if handler is None:
            self._error(404, "NotFound", f"nothing at {url.path}")
        else:
            handler()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _dispatch  # noqa: N815

    # answers

    def _answer(self, status: int, body: Any = None, headers: dict[str, str] | None = None) -> None:
        text = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _error(self, status: int, reason: str, message: str, **more: str) -> None:
        self._answer(status, {"error": {"reason": reason, "message": message, **more}})

    def _json(self) -> Any:
        value = json.loads(self.body)
        self.server.bodies.append(value)
        return value

    # resources

    def _where(self) -> tuple[str, str | None, str | None]:
        """Kind, namespace and name of the address."""
        if self.parts[0] != "namespaces":
            return _KINDS[self.parts[0]], None, None
        name = self.parts[3] if len(self.parts) > 3 else None
        return _KINDS[self.parts[2]], self.parts[1], name

    def _get_kind(self) -> None:
        if self.parts[4:] == ["revisions"]:
            self._answer(200, {"items": self.server.revisions})
            return
        if self.parts[4:] == ["waves"]:
            self._answer(200, {"items": self.server.waves})
            return
        kind, namespace, name = self._where()
        if name is not None:
            found = self.server.resources.get((kind, namespace or "", name))
            if found is None:
                self._error(404, "NotFound", f"{kind} {name} does not exist")
            else:
                self._answer(200, found)
        elif self.query.get("watch") == "1":
            self._watch(kind, namespace)
        else:
            self._list(kind, namespace)

    def _fits(self, resource: Resource, kind: str, namespace: str | None) -> bool:
        wanted = dict(p.split("=") for p in self.query.get("labelSelector", "").split(",") if p)
        labels = resource["metadata"].get("labels", {})
        return (
            resource["kind"] == kind
            and namespace in {None, resource["metadata"]["namespace"]}
            and wanted.items() <= labels.items()
        )

    def _list(self, kind: str, namespace: str | None) -> None:
        every = [r for r in self.server.resources.values() if self._fits(r, kind, namespace)]
        start = int(self.query.get("continue", "0"))
        end = start + self.server.page_items
        more = str(end) if end < len(every) else None
        version = str(self.server.version)
        page = {"items": every[start:end], "continue": more}
        self._answer(200, {**page, "metadata": {"resourceVersion": version}})

    def _watch(self, kind: str, namespace: str | None) -> None:
        position = int(self.query["resourceVersion"])
        if position < self.server.compacted:
            self._error(410, "Gone", f"changes since {position} are no longer kept")
            return
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        while True:
            with self.server.changed:
                while self.server.is_open and self.server.version <= position:
                    self.server.changed.wait()
                if not self.server.is_open:
                    return
                news = [one for one in self.server.history if one[0] > position]
                position = self.server.version
            for _version, change, resource in news:
                if self._fits(resource, kind, namespace):
                    line = json.dumps({"type": change, "object": resource})
                    self.wfile.write(f"{line}\n".encode())

    def _put_kind(self) -> None:
        resource = self._json()
        kind, namespace, name = self._where()
        key = (kind, namespace or "", name or "")
        before = self.server.resources.get(key)
        if self.server.conflicts_to_come:
            self.server.conflicts_to_come -= 1
            self._error(409, "Conflict", f"{name} changed since it was read")
        elif before is None:
            self._error(404, "NotFound", f"{kind} {name} does not exist")
        elif before["metadata"]["resourceVersion"] != resource["metadata"]["resourceVersion"]:
            self._error(409, "Conflict", f"{name} changed since it was read")
        else:
            self._answer(200, self.server.store(resource))

    def _delete_kind(self) -> None:
        kind, namespace, name = self._where()
        key = (kind, namespace or "", name or "")
        if key not in self.server.resources:
            self._error(404, "NotFound", f"{kind} {name} does not exist")
            return
        self.server.remove(key)
        self._answer(200, {})

    def _post_kind(self) -> None:
        body = self._json()
        if self.parts[4:] == ["rollout"]:
            key = ("Deployment", self.parts[1], self.parts[3])
            if key not in self.server.resources:
                self._error(404, "NotFound", f"Deployment {self.parts[3]} does not exist")
            else:
                self._answer(200, self.server.resources[key])
            return
        self._answer(201, self.server.store(body))

    def _post_apply(self) -> None:
        resource = self._json()
        metadata = resource["metadata"]
        key = (resource["kind"], metadata.get("namespace", "default"), metadata["name"])
        before = self.server.resources.get(key)
        result = "created"
        if before is not None:
            result = "unchanged" if before["spec"] == resource["spec"] else "configured"
        if self.query["dryRun"] == "0" and result != "unchanged":
            resource = self.server.store(resource)
        answer = {"result": result, "object": resource, "warnings": self.server.warnings}
        self._answer(200, answer)

    # the rest

    def _post_tokens(self) -> None:
        self._json()
        self._answer(201, {"token": "join-me", "expires": "2030-01-01T00:00:00.000Z"})

    def _get_version(self) -> None:
        self._answer(200, {"version": "9.9.9"})

    def _head_blobs(self) -> None:
        digest = self.parts[1]
        if digest in self.server.blobs:
            self._answer(200)
        else:
            held = len(self.server.partial.get(digest, b""))
            self._answer(404, headers={"Upload-Offset": str(held)})

    def _patch_blobs(self) -> None:
        digest, offset = self.parts[1], int(self.headers["Upload-Offset"])
        held = self.server.partial.get(digest, b"")
        if offset != len(held):
            self._answer(409, headers={"Upload-Offset": str(len(held))})
            return
        held += self.body
        self.server.partial[digest] = held
        if self.server.cut_uploads_after == 0:
            self.server.cut_uploads_after = -1
            self.close_connection = True  # the bytes arrived, the answer did not
            return
        self.server.cut_uploads_after -= self.server.cut_uploads_after > 0
        if len(held) < int(self.headers["Upload-Length"]):
            self._answer(204, headers={"Upload-Offset": str(len(held))})
        elif f"sha256:{hashlib.sha256(held).hexdigest()}" != digest:
            self._error(422, "DigestMismatch", "the bytes do not have this digest")
        else:
            self.server.blobs[digest] = held
            self._answer(201)
