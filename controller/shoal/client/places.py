"""Addresses below `/api/v1`: of a kind's resources, and of one of them by name."""

from dataclasses import dataclass
from urllib.parse import quote

from shoal.contract.problem import InvalidError, Problem
from shoal.contract.reason import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One resource: the plural of its kind, its namespace, its name."""

    plural: str
    namespace: str
    name: str

    @property
    def path(self) -> str:
        """Its address. Raises InvalidError."""
        return f"{collection(self.plural, self.namespace)}/{_part('name', self.name)}"


def collection(plural: str, namespace: str | None) -> str:
    """The address of all resources of a kind in a namespace, or in all of them (None).

    Raises:
        InvalidError: that is no namespace.
    """
    if namespace is None:
        return f"/{plural}"
    return f"/namespaces/{_part('namespace', namespace)}/{plural}"


def _part(what: str, text: str) -> str:
    """One step of an address; nothing and slashes would lead to another one."""
    if not text or "/" in text or text in {".", ".."}:
        raise InvalidError(
            Problem(
                reason=Reason.INVALID,
                message=f"{text!r} is no {what}",
                hint="lower-case letters, digits and inner hyphens",
            )
        )
    return quote(text, safe="")
