"""The verbs of `shoal`: found by name, imported when asked for, listed without importing any.

A verb's module has a function `command` (one command) or a typer application `app` (a group). The
verbs of other packages (`serve`, `demo`) are functions named by the entry points of the group
`shoal.commands`; their packages are extras, and may be absent.
"""

import difflib
import importlib
import importlib.metadata
import importlib.util
from collections.abc import Callable
from typing import Any, Final

import typer
import typer.core
import typer.main

from shoal.contract.problem import InvalidError, Problem
from shoal.contract.reason import Reason

# verb -> what `shoal --help` says of it; the module is shoal.cli.<verb>
BUILT_IN: Final = {
    "apply": "make the fleet as the manifests say",
    "plan": "what apply would do to every device",
    "diff": "how manifests differ from what is there",
    "get": "list resources, or show one",
    "describe": "everything about one resource, for people",
    "why": "why a device or a rollout is as it is",
    "events": "what happened lately",
    "rollout": "status, history, pause, resume, abort, promote, retry, undo",
    "wait": "until a condition holds",
    "label": "set or remove labels",
    "delete": "delete resources",
    "device": "approve, revoke and drain devices",
    "infer": "ask the model that a device serves",
    "model": "bring a model from elsewhere",
    "variant": "compare two variants",
    "token": "make join tokens for devices",
    "audit": "who did what",
    "explain": "document the fields of manifests",
    "schema": "JSON Schema of manifests, for editors",
    "doctor": "what keeps this program or the fleet from working",
    "completion": "let a shell complete commands and live names",
    "context": "name controllers, and choose the one to speak to",
    "version": "versions of the client and of the controller",
}
# verb -> (help, extra, a module that only this extra installs)
OPTIONAL: Final = {
    "serve": ("run the controller", "controller", "sqlmodel"),
    "demo": ("a whole fleet on this machine", "all", "torch"),
    "lab": ("a simulated fleet under faults, for a person to watch", "controller", "sqlmodel"),
}
COMPLETE: Final = "__complete"  # what completion scripts call; no verb of people
FOREIGN: Final = frozenset(OPTIONAL)
_GROUP: Final = "shoal.commands"


class Verbs(typer.core.TyperGroup):
    """A group whose commands are modules."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Verbs that would run here; those of absent extras are left out."""
        del ctx
        return command_names()

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of a verb, imported now; None where there is none."""
        del ctx
        return find(cmd_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Verb, command and the rest of the line; an unknown verb is answered with the nearest."""
        if args[0].startswith("-"):
            raise _unknown(f"there is no option {args[0]}", args[0], ("--help",))
        command = self.get_command(ctx, args[0])
        if command is None:
            raise _unknown(f"there is no command {args[0]!r}", args[0], self.list_commands(ctx))
        return args[0], command, args[1:]

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The table of verbs in the help, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(verb, _help(verb)) for verb in self.list_commands(ctx)])


def command_names() -> list[str]:
    """Every verb that would run here."""
    return [*BUILT_IN, *(verb for verb in OPTIONAL if _is_installed(verb))]


def find(verb: str) -> Any:
    """The command of a verb, imported now; None where there is none.

    Raises:
        InvalidError: it is part of an extra that is not installed.
    """
    if verb in BUILT_IN:
        return _built_in(verb)
    return _optional(verb) if verb in OPTIONAL else None


def _help(verb: str) -> str:
    return BUILT_IN[verb] if verb in BUILT_IN else OPTIONAL[verb][0]


def _built_in(verb: str) -> Any:
    module = importlib.import_module(f"shoal.cli.{verb}")
    app = vars(module).get("app")
    return typer.main.get_command(app) if app else as_command(verb, module.command)


def as_command(verb: str, function: Callable[..., object]) -> Any:
    """A function with typer's annotations as the command `verb`."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    app.command(name=verb)(function)
    return typer.main.get_command(app)


def _is_installed(verb: str) -> bool:
    return importlib.util.find_spec(OPTIONAL[verb][2]) is not None


def _optional(verb: str) -> Any:
    points = importlib.metadata.entry_points(group=_GROUP, name=verb)
    if not _is_installed(verb) or not points:
        raise _absent(verb)
    try:
        function = next(iter(points)).load()
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.split(".")[0] == "shoal":
            raise
        raise _absent(verb) from error
    return as_command(verb, function)


def _absent(verb: str) -> InvalidError:
    extra = OPTIONAL[verb][1]
    return InvalidError(
        Problem(
            reason=Reason.MISSING_EXTRA,
            message=f"`shoal {verb}` is not installed here",
            hint=f"pip install 'shoal[{extra}]'",
        )
    )


def _unknown(message: str, word: str, known: Any) -> InvalidError:
    near = difflib.get_close_matches(word, known, n=1)
    hint = f"did you mean {near[0]}?" if near else "`shoal --help` lists what there is"
    return InvalidError(Problem(reason=Reason.INVALID, message=message, hint=hint))
