"""Global options, taken from anywhere in a command line before its verb is looked at.

Reading them first is what lets `-o json` shape the error of a line that cannot be parsed, and lets
`shoal get devices -n lab` mean the same as `shoal -n lab get devices`.
"""

import enum
import os
from collections.abc import Sequence
from dataclasses import dataclass

from shoal.cli import contexts
from shoal.contract import units
from shoal.contract.problem import InvalidError, Problem
from shoal.contract.reason import Reason

# The same as shoal.client.client.DEFAULT_SERVER, which costs an import of httpx; a test compares.
DEFAULT_SERVER = "http://127.0.0.1:8470"
DEFAULT_NAMESPACE = "default"


class Output(enum.StrEnum):
    """How data is printed."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"
    NAME = "name"


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """A command line: its global options and, in `rest`, the verb with what belongs to it.

    `namespace` is None for all namespaces; `timeout_s` is None where `--timeout` is absent.
    `given_server` and `given_namespace` are what the line itself says; `context` is the context
    that server and namespace come from, if they do, and `because` says where the server was named.
    """

    server: str
    namespace: str | None
    given_server: str | None
    given_namespace: str | None
    context: str | None
    because: str
    timeout_s: float | None
    verbose: bool
    output: Output
    rest: tuple[str, ...]

    @property
    def one_namespace(self) -> str:
        """The namespace of a command that needs exactly one.

        Raises:
            InvalidError: -A was given.
        """
        if self.namespace is None:
            raise _invalid("this command works in one namespace", "replace -A by -n NAMESPACE")
        return self.namespace


VALUED = {
    "--server": "server",
    "-n": "namespace",
    "--namespace": "namespace",
    "--timeout": "timeout",
    "-o": "output",
    "--output": "output",
}
FLAGS = {"-A": "all", "--all-namespaces": "all", "-v": "verbose", "--verbose": "verbose"}


def wants_json(arguments: Sequence[str]) -> bool:
    """Whether the line asks for JSON, however broken the rest of it is."""
    line = list(arguments)
    return any(
        argument in {"-ojson", "-o=json", "--output=json"}
        or (argument in {"-o", "--output"} and line[index + 1 : index + 2] == ["json"])
        for index, argument in enumerate(line)
    )


def parse(arguments: Sequence[str], foreign: frozenset[str] = frozenset()) -> Invocation:
    """The invocation that `arguments` describe; what follows a `foreign` verb or `--` is its own.

    Raises:
        InvalidError: bytes that are no text; a global option without a value, or with a wrong one.
    """
    if strange := [one for one in arguments if not _is_text(one)]:
        raise _invalid(f"{strange[0]!a} is no text in UTF-8", "rename it, or type it anew")
    found: dict[str, str] = {}
    rest: list[str] = []
    queue = list(arguments)
    while queue:
        argument = queue.pop(0)
        name, value = _split(argument)
        if argument == "--" or (not rest and argument in foreign):
            rest += [argument, *queue]
            break
        if argument in FLAGS:
            found[FLAGS[argument]] = argument
        elif name in VALUED:
            if value is None and (not queue or queue[0].startswith("-")):
                raise _invalid(f"{name} needs a value", f"for example {_EXAMPLES[VALUED[name]]}")
            found[VALUED[name]] = queue.pop(0) if value is None else value
        else:
            rest.append(argument)
    return _invocation(found, tuple(rest))


def _is_text(argument: str) -> bool:
    """Whether the argument was UTF-8; other bytes reach Python as lone surrogates."""
    return not any("\ud800" <= letter <= "\udfff" for letter in argument)


_EXAMPLES = {
    "server": f"--server {DEFAULT_SERVER}",
    "namespace": "-n default",
    "timeout": "--timeout 30s",
    "output": "-o json",
}


def _split(argument: str) -> tuple[str, str | None]:
    """Name and value of `--name=value`, `-nvalue` or `-n=value`; a lone name has no value."""
    if argument.startswith("--"):
        name, equals, value = argument.partition("=")
        return name, value if equals else None
    if argument.startswith("-") and argument[:2] in VALUED and len(argument) > 2:
        return argument[:2], argument[2:].removeprefix("=")
    return argument, None


def _invocation(found: dict[str, str], rest: tuple[str, ...]) -> Invocation:
    if "all" in found and "namespace" in found:
        raise _invalid("-A and -n exclude each other", "give one of them")
    place = _place(found, rest)
    namespace = found.get("namespace") or place.namespace or DEFAULT_NAMESPACE
    return Invocation(
        server=place.server,
        namespace=None if "all" in found else namespace,
        given_server=found.get("server") or None,
        given_namespace=found.get("namespace") or None,
        context=place.context,
        because=place.because,
        timeout_s=_timeout_s(found.get("timeout")),
        verbose="verbose" in found,
        output=_output(found.get("output", Output.TABLE.value)),
        rest=rest,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Which controller, and who named it."""

    server: str
    because: str
    context: str | None = None
    namespace: str | None = None


def _place(found: dict[str, str], rest: tuple[str, ...]) -> _Place:
    """Option, then environment, then the current context, then this machine.

    The namespace of a context goes with its server alone: on another controller it means nothing.
    """
    if server := found.get("server"):
        return _Place(server=server, because="--server")
    if server := os.environ.get("SHOAL_SERVER"):
        return _Place(server=server, because="SHOAL_SERVER")
    # Help must come even where the file of contexts is broken.
    chosen = contexts.load().chosen if rest and "--help" not in rest else None
    if chosen is not None:
        return _Place(
            server=chosen.server,
            because=f"context {chosen.name}",
            context=chosen.name,
            namespace=chosen.namespace,
        )
    return _Place(server=DEFAULT_SERVER, because="default")


def _timeout_s(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return units.parse_duration_s(text)
    except ValueError as error:
        raise _invalid(f"--timeout: {error}", "for example --timeout 30s") from error


def _output(text: str) -> Output:
    try:
        return Output(text)
    except ValueError as error:
        raise _invalid(f"there is no output {text!r}", f"one of {', '.join(Output)}") from error


def _invalid(message: str, hint: str) -> InvalidError:
    return InvalidError(Problem(reason=Reason.INVALID, message=message, hint=hint))
