"""What could stand at the cursor: verbs, options, kinds, live names, files.

Called by the shell at every press of the key, so it is quick, prints words alone, and has no
opinion where it knows none: a line that makes no sense, and a controller that does not answer in a
second, complete to nothing.
"""

import shlex
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from shoal.cli import contexts, invocation, verbs
from shoal.cli.invocation import Invocation, Output
from shoal.contract.problem import ProblemError

_PATIENCE_S: Final = 1.0
_NAMES: Final = 5_000
SHELLS: Final = ("bash", "zsh", "fish")
_GLOBAL: Final = ("--server", "--namespace", "--all-namespaces", "--output", "--timeout", "--help")
_FILES: Final = {"-f", "--filename", "--input", "--report", "--config"}
_VALUES: Final[dict[str, tuple[str, ...]]] = {
    "-o": tuple(Output),
    "--output": tuple(Output),
    "--dry-run": ("server",),
    "--approve": ("auto", "manual"),
    "--for": ("condition=Ready", "condition=Available", "condition=Progressing", "delete"),
}
_SOURCES: Final[dict[str, tuple[str, ...]]] = {
    "rollout": ("deployments",),
    "device": ("devices",),
    "infer": ("devices",),
    "why": ("devices", "deployments"),
    "variant": ("variants",),
}
_BY_KIND: Final = {"get", "describe", "delete", "label", "wait", "audit"}
_KINDS_ALONE: Final = {"explain", "schema"}


def replies(shell: str, line: str) -> list[str]:
    """The words that complete `line`, which ends at the cursor, as `shell` wants them."""
    try:
        words = shlex.split(line)
    except ValueError:
        return []  # within quotes
    words = words[1:] if line[-1:].isspace() else words[1:-1]
    partial = "" if line[-1:].isspace() or not line.split() else line.rsplit(maxsplit=1)[-1]
    option, equals, value = partial.partition("=")
    if equals and option.startswith("-"):
        found = [f"{option}={one}" for one in _of_option(words, option, value)]
    else:
        found = list(_candidates(words, partial))
    fitting = sorted({one for one in found if one.startswith(partial)})
    if shell == "bash" and "=" in partial:
        # bash takes what is left of = for a word of its own.
        keep = partial.rindex("=") + 1
        return [one[keep:] for one in fitting]
    return fitting


def _candidates(words: Sequence[str], partial: str) -> Iterable[str]:
    if words and words[-1].startswith("-") and _takes_value(words):
        return _of_option(words[:-1], words[-1], partial)
    try:
        asked = invocation.parse(_without_options(words), verbs.FOREIGN)
    except ProblemError:
        return ()
    if partial.startswith("-"):
        return [*_options(asked.rest), *_GLOBAL]
    return _positional(asked, partial)


def _positional(asked: Invocation, partial: str) -> Iterable[str]:
    """What may come next that is no option."""
    if not asked.rest:
        return verbs.command_names()
    verb, *rest = asked.rest
    group = _commands(verb)
    if group and not rest:
        return group
    after = rest[1:] if group else rest
    if verb in _KINDS_ALONE:
        return _kinds() if not after else ()
    if verb in _BY_KIND:
        return _kind_or_name(asked, after, partial)
    return _of_verb(asked, verb, rest, partial)


def _of_verb(asked: Invocation, verb: str, rest: Sequence[str], partial: str) -> Iterable[str]:
    if verb == "context":
        return contexts.load().known if rest[:1] in (["use"], ["delete"], ["set"]) else ()
    if verb == "completion":
        return SHELLS
    if verb == "model" or verb in verbs.FOREIGN:
        return _files(partial)
    return [name for plural in _SOURCES.get(verb, ()) for name in _names(asked, plural)]


def _kind_or_name(asked: Invocation, after: Sequence[str], partial: str) -> Iterable[str]:
    """Kinds first; then names of that kind, also in the form kind/name."""
    kind, slash, _name = partial.partition("/")
    if slash:
        return [f"{kind}/{name}" for name in _names(asked, kind)]
    if not after:
        return _kinds()
    return _names(asked, after[0].partition("/")[0])


def _of_option(words: Sequence[str], option: str, partial: str) -> Iterable[str]:
    """Values of an option."""
    if option in _FILES:
        return _files(partial)
    if option in _VALUES:
        return _VALUES[option]
    if option in {"-n", "--namespace"}:
        try:
            asked = invocation.parse([*_without_options(words), "-A"], verbs.FOREIGN)
        except ProblemError:
            return ()
        return _namespaces(asked)
    return ()


def _kinds() -> list[str]:
    from shoal.client import kinds

    return [one for kind in kinds.KINDS for one in (kind.plural, kind.name.lower())]


def _names(asked: Invocation, kind: str) -> list[str]:
    return _listed(asked, kind, lambda one: str(one["metadata"]["name"]))


def _namespaces(asked: Invocation) -> list[str]:
    return _listed(asked, "devices", lambda one: str(one["metadata"]["namespace"]))


def _listed(asked: Invocation, kind: str, read: Callable[[Any], str]) -> list[str]:
    """What `read` finds in the resources of a kind, as far as a second goes."""
    from shoal.client import kinds
    from shoal.client.client import Client
    from shoal.client.resources import Scope

    found: list[str] = []
    deadline = time.monotonic() + _PATIENCE_S
    try:
        with Client(asked.server, timeout_s=_PATIENCE_S) as client:
            scope = Scope(namespace=asked.namespace)
            for page in client.resources.pages(kinds.named(kind), scope):
                found += [read(one) for one in page.items]
                if len(found) >= _NAMES or time.monotonic() > deadline:
                    break
    except ProblemError:
        return found
    return found


def _files(partial: str) -> Iterator[str]:
    """Files and folders that begin so; a folder ends with a slash, to go on in it."""
    folder = Path(partial) if partial.endswith("/") else Path(partial).parent
    try:
        inside = list(folder.expanduser().iterdir())
    except OSError:
        return
    before = partial[: partial.rfind("/") + 1]
    for one in inside:
        yield f"{before}{one.name}{'/' if one.is_dir() else ''}"


def _command(rest: Sequence[str]) -> Any:
    """The typer command of a line, the deepest that is named."""
    command = verbs.find(rest[0]) if rest else None
    group = getattr(command, "commands", None)
    return group.get(rest[1], command) if group and len(rest) > 1 else command


def _commands(verb: str) -> list[str]:
    return list(getattr(verbs.find(verb), "commands", None) or ())


def _options(rest: Sequence[str]) -> list[str]:
    command = _command(rest)
    options = [name for one in getattr(command, "params", ()) for name in one.opts]
    return [name for name in options if name.startswith("--")]


def _takes_value(words: Sequence[str]) -> bool:
    """Whether the last word is an option that wants a value."""
    option = words[-1]
    if option in invocation.VALUED:
        return True
    command = _command([word for word in words if not word.startswith("-")])
    return any(
        option in one.opts and not getattr(one, "is_flag", False)
        for one in getattr(command, "params", ())
    )


def _without_options(words: Sequence[str]) -> list[str]:
    """The line without the options of its own command, so that names are counted right."""
    kept: list[str] = []
    queue = list(words)
    while queue:
        word = queue.pop(0)
        if not word.startswith("-") or word in invocation.FLAGS:
            kept.append(word)
        elif word.partition("=")[0] in invocation.VALUED:
            kept += [word, *([queue.pop(0)] if queue and "=" not in word else [])]
        elif "=" not in word and _takes_value([*kept, word]) and queue:
            queue.pop(0)
    return kept


def run(arguments: Sequence[str]) -> int:
    """Prints the replies to `shell line`; never an error, since nobody could read it."""
    import sys

    shell, line = arguments[0], arguments[1] if len(arguments) > 1 else ""
    try:
        found = replies(shell, line)
    except Exception:  # noqa: BLE001 - a line being typed is often broken
        return 0
    sys.stdout.write("".join(f"{one}\n" for one in found))
    return 0
