"""What the small API of tests answers beside resources: tokens, versions, blobs, the audit log."""

import hashlib
import json
import urllib.parse
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.unit.client.api_server import ApiServer


class Rest(BaseHTTPRequestHandler):
    """Reads requests, finds who answers them, and writes answers."""

    protocol_version = "HTTP/1.1"
    server: "ApiServer"

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

    def _get_audit(self) -> None:
        if self.parts[1:] == ["proof"]:
            self._answer(200, self.server.proof)
            return
        self._answer(200, {"items": self.server.entries, "continue": None})
