"""From a document as people wrote it to a checked resource, or to every problem in it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from shoal.contract.problem import InvalidError, Problem
from shoal.contract.reason import Reason
from shoal.resources import checks, wording
from shoal.resources.base import API_VERSION, Resource
from shoal.resources.errors import ManifestError
from shoal.resources.fields import Step, by_alias, document_at, text_of
from shoal.resources.kinds import KINDS, find_kind
from shoal.resources.words import nearest

_REASONS = frozenset(reason.value for reason in Reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """A checked resource. `spec` is the JSON form with every default spelled out."""

    kind: str
    resource: Resource
    spec: dict[str, Any]
    warnings: tuple[str, ...]


def parse(document: object) -> Parsed:
    """Check one resource document.

    Raises:
        ManifestError: with every problem found, each naming its field.
    """
    if not isinstance(document, Mapping):
        raise ManifestError([_invalid("", "a resource is a mapping with apiVersion and kind")])
    kind = _kind(document)
    try:
        resource = KINDS[kind].model_validate(dict(document))
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=True)
        found = [_problem(KINDS[kind], one) for one in details]
        # A misspelt field is the cause of the missing one that it stands for, so it comes first.
        found.sort(key=lambda problem: problem.reason != Reason.UNKNOWN_FIELD)
        missing = [_problem(KINDS[kind], one) for one in details if _may_be_elsewhere(one)]
        raise ManifestError(found, missing) from None
    if crossed := list(checks.problems(resource)):
        raise ManifestError(crossed)
    spec = resource.model_dump(mode="json", by_alias=True, include={"spec"})["spec"]
    return Parsed(
        kind=kind, resource=resource, spec=spec, warnings=tuple(checks.warnings(resource))
    )


def _kind(document: Mapping[Any, Any]) -> str:
    found = list(_heading_problems(document))
    if found:
        raise ManifestError(found)
    return str(document["kind"])


def _heading_problems(document: Mapping[Any, Any]) -> Iterator[Problem]:
    version, kind = document.get("apiVersion"), document.get("kind")
    if version != API_VERSION:
        said = "a resource needs an apiVersion" if version is None else f"apiVersion is {version!r}"
        yield _invalid("apiVersion", said, f"write apiVersion: {API_VERSION}")
    if not isinstance(kind, str):
        yield _invalid("kind", "a resource needs a kind", f"one of {', '.join(KINDS)}")
    elif kind not in KINDS:
        try:
            right = find_kind(kind)
        except InvalidError as error:
            yield error.problem
        else:
            yield Problem(
                reason=Reason.UNKNOWN_KIND,
                message=f"there is no kind {kind!r}",
                field="kind",
                hint=f"did you mean {right}?",
            )


def _problem(root: type[Resource], error: ErrorDetails) -> Problem:
    path: tuple[Step, ...] = tuple(s for s in error["loc"] if s != "[key]")
    if error["type"] == "extra_forbidden":
        return _unknown_field(root, path)
    if error["type"] == "missing":
        return _invalid(text_of(path), f"{text_of(path)} is required")
    if error["type"] in _REASONS:
        hint = error.get("ctx", {}).get("hint", "")
        return Problem(
            reason=error["type"], message=error["msg"], field=text_of(path), hint=hint or None
        )
    return _invalid(text_of(path), wording.sentence(_last_name(path), error))


def _may_be_elsewhere(error: ErrorDetails) -> bool:
    """Whether a field is missing that another document can give: a list is given whole."""
    path = error["loc"]
    return (
        error["type"] == "missing"
        and path[0] == "spec"
        and not any(isinstance(step, int) for step in path)
    )


def _last_name(path: Sequence[Step]) -> str:
    """What the sentence is about: `size`, or `providers[0]` for an entry of a list."""
    for i in reversed(range(len(path))):
        if isinstance(path[i], str):
            return text_of(path[i:])
    return text_of(path) or "the resource"


def _unknown_field(root: type[Resource], path: Sequence[Step]) -> Problem:
    name, parent = str(path[-1]), document_at(root, path[:-1])
    near = nearest(name, by_alias(parent)) if parent is not None else None
    where = text_of(path[:-1]) or "a resource"
    return Problem(
        reason=Reason.UNKNOWN_FIELD,
        message=f"{where} has no field {name}",
        field=text_of(path),
        hint=f"did you mean {near}?" if near else None,
    )


def _invalid(field: str, message: str, hint: str | None = None) -> Problem:
    return Problem(reason=Reason.INVALID, message=message, field=field or None, hint=hint)
