"""The Open Inference Protocol v2 over HTTP as a bare ASGI application.

    GET  /v2                                   server metadata
    GET  /v2/health/live | /v2/health/ready
    GET  /v2/models/NAME[/versions/V]          metadata
    GET  /v2/models/NAME[/versions/V]/ready
    POST /v2/models/NAME[/versions/V]/infer
    POST /v2/models/NAME/feedback              {"id": "<request id>", "label": n | [n, …]}
    GET  /v2/models/NAME/assets[/FILE]         files that travel with the model, of the active slot

Errors are `{"error": "<sentence>"}`. The version of a model is the generation of its slot. Bare,
because a web framework costs half a second at start and three times the session's own time a call.
"""

import asyncio
import importlib.metadata
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from shoal.agent.serve import inference, tensors
from shoal.agent.serve.answering import Answering
from shoal.agent.serve.errors import RequestError
from shoal.agent.serve.intake import GoneError, Intake, Message, Receive, Ticket
from shoal.agent.serve.sessions import TensorSpec
from shoal.agent.serve.slots import Endpoint, Slot

Scope = Mapping[str, Any]
Send = Callable[[Message], Awaitable[None]]

EXTENSIONS = ["binary_tensor_data", "feedback", "assets"]
_JSON_BYTES = b"inference-header-content-length"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """Status and body; `json_bytes` is where its JSON ends if bytes follow it, 0 without JSON."""

    status: int
    body: bytes
    json_bytes: int | None = None


class Protocol:
    """The application: routes a request and sends its reply."""

    def __init__(self, answering: Answering) -> None:
        self._answering = answering
        self._slots = answering.slots
        self._intake = Intake()
        self._version = importlib.metadata.version("shoal")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        try:
            reply = await self._route(scope, receive)
        except RequestError as error:
            reply = _json({"error": error.message}, error.status)
        except GoneError:
            return
        await _send(reply, send)

    async def _route(self, scope: Scope, receive: Receive) -> Reply:
        method, path = scope["method"], scope["path"]
        parts = path.strip("/").split("/")
        match parts:
            case ["v2", "models", model, "infer"] | ["v2", "models", model, "versions", _, "infer"]:
                _only("POST", method)
                version = parts[4] if len(parts) > 4 else ""
                return await self._infer(scope, receive, model, version)
            case ["v2", "models", model, "feedback"]:
                _only("POST", method)
                return await self._feedback(scope, receive, model)
            case ["v2", "models", model, "assets", name]:
                _only("GET", method)
                return await self._asset(model, name)
        _only("GET", method)
        return self._read(path, parts)

    def _read(self, path: str, parts: list[str]) -> Reply:
        match parts:
            case ["v2"]:
                return _json({"name": "shoal", "version": self._version, "extensions": EXTENSIONS})
            case ["v2", "health", "live"]:
                return _json({"live": True})
            case ["v2", "health", "ready"]:
                ready = self._slots.ready
                return _json({"ready": ready}, 200 if ready else 503)
            case ["v2", "models", model] | ["v2", "models", model, "versions", _]:
                endpoint, slot = self._answering.find(model, _version(parts))
                return _json(_metadata(endpoint, slot))
            case ["v2", "models", model, "ready"] | ["v2", "models", model, "versions", _, "ready"]:
                self._answering.find(model, _version(parts))
                return _json({"name": model, "ready": True})
            case ["v2", "models", model, "assets"]:
                _, slot = self._answering.find(model, "")
                return _json({"assets": [name for name, _ in slot.spec.assets]})
        raise RequestError(404, f"there is nothing at {path}")

    async def _infer(self, scope: Scope, receive: Receive, model: str, version: str) -> Reply:
        endpoint, _ = self._answering.find(model, version)
        endpoint.in_flight += 1
        try:
            with self._intake.admit() as ticket:
                body, json_bytes = await _body(scope, receive, ticket)
                answer = await self._answering.infer(model, version, body, json_bytes)
        finally:
            endpoint.in_flight -= 1
        return Reply(status=200, body=answer.body, json_bytes=answer.json_bytes)

    async def _asset(self, model: str, name: str) -> Reply:
        _, slot = self._answering.find(model, "")
        path = dict(slot.spec.assets).get(name)
        if path is None:
            raise RequestError(404, f"no file {name!r} travels with model {model!r}")
        try:
            body = await asyncio.to_thread(path.read_bytes)
        except OSError as error:  # another variant took over, and this one's files went
            raise RequestError(503, f"{name!r} was just replaced; try again") from error
        return Reply(status=200, body=body, json_bytes=0)

    async def _feedback(self, scope: Scope, receive: Receive, model: str) -> Reply:
        with self._intake.admit() as ticket:
            body, _ = await _body(scope, receive, ticket)
        document = inference.parse_json(body)
        request = inference.parse_id(document.get("id"))
        if not request or "label" not in document:
            raise RequestError(400, "feedback needs the id of a request and its label")
        correct = self._answering.feedback.label(model, request, document["label"])
        return _json({"id": request, "correct": correct})


async def _body(scope: Scope, receive: Receive, ticket: Ticket) -> tuple[bytes, int | None]:
    """The body and where its JSON ends."""
    declared_bytes, json_bytes = 0, None
    for name, value in scope["headers"]:
        if name == b"content-length":
            declared_bytes = _size(name, value)
        elif name == _JSON_BYTES:
            json_bytes = _size(name, value)
        elif name == b"content-encoding" and value != b"identity":
            raise RequestError(400, "compressed bodies are not supported")
    body = await ticket.body(receive, declared_bytes)
    if json_bytes is not None and json_bytes > len(body):
        raise RequestError(400, "Inference-Header-Content-Length goes beyond the body")
    return body, json_bytes


def _size(name: bytes, value: bytes) -> int:
    if not value.isdigit() or len(value) > 18:
        raise RequestError(400, f"{name.decode()} must be a number")
    return int(value)


def _metadata(endpoint: Endpoint, slot: Slot) -> dict[str, Any]:
    return {
        "name": endpoint.model,
        "versions": [str(slot.spec.generation)],
        "platform": slot.session.platform,
        "inputs": [_tensor(one) for one in slot.session.inputs],
        "outputs": [_tensor(one) for one in slot.session.outputs],
        "parameters": {"variant": slot.spec.variant},
    }


def _tensor(spec: TensorSpec) -> dict[str, Any]:
    datatype = tensors.datatype_of(spec.dtype)
    return {"name": spec.name, "datatype": datatype, "shape": list(spec.shape)}


def _version(parts: list[str]) -> str:
    return parts[4] if parts[3:4] == ["versions"] else ""


def _only(wanted: str, method: str) -> None:
    if method != wanted:
        raise RequestError(405, f"only {wanted} is possible here, not {method}")


def _json(document: Mapping[str, Any], status: int = 200) -> Reply:
    return Reply(status=status, body=json.dumps(document, separators=(",", ":")).encode())


async def _send(reply: Reply, send: Send) -> None:
    headers = [(b"content-length", str(len(reply.body)).encode())]
    if reply.json_bytes is None:
        headers.append((b"content-type", b"application/json"))
    else:
        headers.append((b"content-type", b"application/octet-stream"))
        if reply.json_bytes:
            headers.append((_JSON_BYTES, str(reply.json_bytes).encode()))
    if reply.status == 413:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})
