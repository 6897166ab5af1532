"""Contexts: names for controllers, kept in one small file, one of them the current one.

The file is `SHOAL_CONFIG`, or `shoal/contexts.json` in the user's configuration folder. It holds
addresses and namespaces only, never a secret.
"""

import difflib
import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from shoal.contract.problem import InvalidError, NotFoundError, Problem
from shoal.contract.reason import Reason

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """One controller by name; `namespace` is None for the one that everybody has."""

    name: str
    server: str
    namespace: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Contexts:
    """What the file says."""

    current: str | None = None
    known: Mapping[str, Context] = field(default_factory=dict)

    @property
    def chosen(self) -> Context | None:
        """The current context, if there is one."""
        return self.known.get(self.current) if self.current else None

    def named(self, name: str) -> Context:
        """The context of this name.

        Raises:
            NotFoundError: there is none; says the nearest.
        """
        if name in self.known:
            return self.known[name]
        raise NotFoundError(
            Problem(
                reason=Reason.NOT_FOUND,
                message=f"there is no context {name!r}",
                hint=_nearest(name, self.known),
            )
        )

    def using(self, name: str) -> "Contexts":
        """With `name` as the current one. Raises NotFoundError."""
        return replace(self, current=self.named(name).name)

    def having(self, context: Context) -> "Contexts":
        """With `context` added or replaced; the first one becomes the current one.

        Raises:
            InvalidError: its name is not one.
        """
        if not _NAME.fullmatch(context.name):
            raise InvalidError(
                Problem(
                    reason=Reason.INVALID,
                    message=f"{context.name!r} is not a name for a context",
                    hint="letters, digits, '.', '_' and '-', 63 at most",
                )
            )
        known = {**self.known, context.name: context}
        return Contexts(current=self.current or context.name, known=known)

    def without(self, name: str) -> "Contexts":
        """Without `name`; no context is current when it was. Raises NotFoundError."""
        self.named(name)
        known = {key: one for key, one in self.known.items() if key != name}
        return Contexts(current=None if self.current == name else self.current, known=known)


def path() -> Path:
    """Where the file lies."""
    if named := os.environ.get("SHOAL_CONFIG"):
        return Path(named)
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "shoal" / "contexts.json"


def load() -> Contexts:
    """What the file says; nothing where there is none.

    Raises:
        InvalidError: the file is not one of contexts.
    """
    file = path()
    try:
        text = file.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return Contexts()
    except (OSError, UnicodeDecodeError) as error:
        raise _broken(file, str(error)) from error
    try:
        return _read(json.loads(text))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise _broken(file, f"{type(error).__name__} {error}") from error


def save(contexts: Contexts) -> None:
    """Replaces the file in one step."""
    import tempfile

    file = path()
    file.parent.mkdir(parents=True, exist_ok=True)
    document = {
        "current": contexts.current,
        "contexts": {
            one.name: {"server": one.server, "namespace": one.namespace}
            for one in contexts.known.values()
        },
    }
    handle, scratch = tempfile.mkstemp(dir=file.parent, prefix=".contexts-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write(json.dumps(document, indent=2, sort_keys=True) + "\n")
        Path(scratch).replace(file)
    except BaseException:
        Path(scratch).unlink(missing_ok=True)
        raise


def _read(document: Any) -> Contexts:
    known = {
        name: Context(name=name, server=_text(one["server"]), namespace=_maybe(one["namespace"]))
        for name, one in document["contexts"].items()
    }
    return Contexts(current=_maybe(document["current"]), known=known)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _maybe(value: object) -> str | None:
    return None if value is None else _text(value)


def _nearest(name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1)
    if near:
        return f"did you mean {near[0]}?"
    return f"one of {', '.join(names)}" if names else "make one with `shoal context set`"


def _broken(file: Path, why: str) -> InvalidError:
    return InvalidError(
        Problem(
            reason=Reason.INVALID,
            message=f"the contexts cannot be read: {why}",
            location=str(file),
            hint="repair or remove that file, or name another with SHOAL_CONFIG",
        )
    )
