"""The OpenAPI document: the resources' own schema, beside the routes that FastAPI knows."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from shoal.contract.limits import DEVICE_NAME_CHARS
from shoal.controller.api import forms
from shoal.resources.base import Document
from shoal.resources.kinds import KINDS
from shoal.resources.statuses.deployment import Revision
from shoal.resources.written import AuditEntry

NDJSON = "application/x-ndjson"
_PREFIX = "#/components/schemas/"
_NAMES = {"type": "string", "pattern": forms.NAME, "maxLength": DEVICE_NAME_CHARS}
_ERROR: dict[str, Any] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["reason", "message"],
            "properties": {
                name: {"type": "string"}
                for name in ("reason", "message", "field", "location", "hint")
            },
        },
        "problems": {"type": "array", "items": {"type": "object"}},
    },
}


def described(name: str) -> dict[str, Any]:
    """A reference to what the document describes under this name."""
    return {"$ref": _PREFIX + name}


def answers_with(schema: dict[str, Any], status: int = 200) -> dict[str, Any]:
    """Arguments of a route whose answer has this schema."""
    body = {"application/json": {"schema": schema}}
    return {"responses": {status: {"description": "Done", "content": body}}}


def answers(kind: str, status: int = 200) -> dict[str, Any]:
    """Arguments of a route that answers one resource."""
    return answers_with(described(kind), status)


def answers_list(kind: str) -> dict[str, Any]:
    """Arguments of a route that answers a list."""
    schema = {
        "type": "object",
        "properties": {
            "items": {"type": "array", "items": described(kind)},
            "continue": {"type": ["string", "null"]},
            "metadata": {
                "type": "object",
                "properties": {"resourceVersion": {"type": "string"}},
            },
        },
    }
    return answers_with(schema)


def answers_followed(kind: str) -> dict[str, Any]:
    """Arguments of a route that answers a list, or with `watch` one line for each change."""
    found = answers_list(kind)
    line = {
        "type": "object",
        "required": ["type"],
        "properties": {
            "type": {"enum": ["ADDED", "MODIFIED", "DELETED", "ERROR"]},
            "object": described(kind),
            "error": {"type": "object"},
        },
    }
    found["responses"][200]["content"][NDJSON] = {"itemSchema": line}
    return found


def answers_items(schema: dict[str, Any]) -> dict[str, Any]:
    """Arguments of a route that answers all there are, each with this schema."""
    return answers_with(fields(items={"type": "array", "items": schema}))


def answers_names() -> dict[str, Any]:
    """Arguments of a route that lists what has a name and little else."""
    one = {
        "type": "object",
        "required": ["metadata"],
        "properties": {"metadata": {"type": "object", "required": ["name"]}},
    }
    schema = {"type": "object", "properties": {"items": {"type": "array", "items": one}}}
    return answers_with(schema)


def takes_and_answers(kind: str, status: int = 200) -> dict[str, Any]:
    """Arguments of a route that takes a resource and answers it as stored."""
    return {**answers(kind, status), **takes(described(kind))}


def takes(schema: dict[str, Any]) -> dict[str, Any]:
    """Arguments of a route that reads a JSON body by itself."""
    body = {"required": True, "content": {"application/json": {"schema": schema}}}
    return {"openapi_extra": {"requestBody": body}}


def fields(**types: str | dict[str, Any]) -> dict[str, Any]:
    """The schema of a plain object with these fields and no others; each a type or a schema."""
    found = {name: {"type": of} if isinstance(of, str) else of for name, of in types.items()}
    return {"type": "object", "properties": found, "additionalProperties": False}


def install(app: FastAPI) -> None:
    """Let `app` describe its resources in full."""
    models: list[type[Document]] = [*KINDS.values(), AuditEntry, Revision]
    _, schemas = models_json_schema(
        [(model, "validation") for model in models],
        ref_template=_PREFIX + "{model}",
    )

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            built = get_openapi(title=app.title, version=app.version, routes=app.routes)
            parts = built.setdefault("components", {}).setdefault("schemas", {})
            parts.update(schemas["$defs"], Error=_ERROR)
            _correct(built)
            app.openapi_schema = built
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _correct(document: dict[str, Any]) -> None:
    """Every route fails in our own shape, not in the one that FastAPI promises for it."""
    for name in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(name, None)
    for path in document["paths"].values():
        for operation in path.values():
            operation["responses"].pop("422", None)
            operation["responses"]["default"] = _FAILURE
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "path" and parameter["name"] in {"namespace", "name"}:
                    parameter["schema"] = _NAMES


_FAILURE = {
    "description": "Why not",
    "content": {"application/json": {"schema": described("Error")}},
}
