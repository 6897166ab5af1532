"""`shoal rollout`: watch a rollout and steer it."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from shoal.cli import (
    confirming,
    facts,
    printing,
    reached,
    replays,
    rollouts,
    showing,
    successors,
    watched,
)
from shoal.cli.invocation import Output
from shoal.cli.session import Session
from shoal.contract.problem import ExitCode, NotFoundError

if TYPE_CHECKING:  # the client imports httpx, which --help must not
    from shoal.client.following import Deadline

app = typer.Typer(
    name="rollout",
    help="Watch a rollout and steer it.\n\nExample: shoal rollout status digits -w",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
_Yes = Annotated[bool, typer.Option("--yes", help="do not ask")]
_TICK_S = 1.0
_Name = Annotated[str, typer.Argument(metavar="DEPLOYMENT")]


@app.command()
def status(
    context: typer.Context,
    name: _Name,
    watch: Annotated[bool, typer.Option("-w", "--watch", help="draw every change")] = False,
) -> None:
    """Wait until the rollout is decided; -w draws it.

    Exit 0 complete; 1 held, failed, rolled back, aborted or superseded; 5 --timeout passed.

    Example: shoal rollout status digits -w --timeout 10m
    """
    from shoal.client import following, kinds, ticking

    session: Session = context.obj
    key = (session.invocation.one_namespace, _plain_name(name))
    deadline = following.Deadline.after(session.invocation.timeout_s)
    drawing = rollouts.Drawing(session.output, rollouts.Rolls(session), watch=watch)
    noted = watched.Watched(session.client, key)
    stream = following.versions(session.client.resources, kinds.DEPLOYMENT, key, deadline)
    for deployment in ticking.ticking(stream, _TICK_S) if drawing.moves else stream:
        if isinstance(deployment, ticking.Tick):
            drawing.tick()
            continue
        replaced = noted.superseded(deployment)
        if replaced is not None:
            drawing.end(deployment)
            printing.note(replaced)
            raise typer.Exit(ExitCode.FAILED)
        result = rollouts.decision(deployment)
        if result is None:
            drawing.update(deployment)
            continue
        coming = _wait_for_successor(session, deployment, drawing, deadline)
        if coming.stage is successors.Stage.COMING:
            continue
        drawing.end(deployment)
        if coming.stage is successors.Stage.FAILED:
            printing.note(coming.message)
            raise typer.Exit(ExitCode.FAILED)
        raise typer.Exit(ExitCode.DONE if result == rollouts.COMPLETE else ExitCode.FAILED)


def _wait_for_successor(
    session: Session, deployment: facts.Resource, drawing: rollouts.Drawing, deadline: "Deadline"
) -> successors.Successor:
    """Watch the Model that `deployment` follows until its newest revision starts or never will."""
    from shoal.client import following, kinds

    model = successors.model_of(deployment)
    found = successors.NOTHING
    if model is None:
        return found
    key = (session.invocation.one_namespace, model)
    try:
        for version in following.versions(session.client.resources, kinds.MODEL, key, deadline):
            found = successors.successor(deployment, version)
            if found.stage is not successors.Stage.COMING:
                return found
            drawing.waiting(deployment, found.message)
            if found.next_is_deployment:
                return found
    except NotFoundError:
        return successors.NOTHING  # the Model was deleted: nothing newer will come
    return found


@app.command()
def history(
    context: typer.Context,
    name: _Name,
    replay: Annotated[
        bool, typer.Option("--replay", help="decide every kept decision again, and compare")
    ] = False,
) -> None:
    """List the revisions and what became of them, the newest last.

    Example: shoal rollout history digits

    With --replay: the kept decisions, made again from what they saw; exit 1 where one differs that
    this version took. Those that another version took are counted: it may have decided otherwise.
    """
    session: Session = context.obj
    if replay:
        replays.show(session, _plain_name(name))
        return
    namespace = session.invocation.one_namespace
    revisions = session.client.rollouts.revisions(namespace, _plain_name(name))
    if session.output in {Output.JSON, Output.YAML}:
        printing.document({"items": revisions, "continue": None}, session.output)
    elif session.output is Output.NAME:
        for one in revisions:
            printing.line(str(one["number"]))
    elif not revisions:
        printing.note(f"{name} has no revision yet")
    else:
        _table(revisions, wide=session.output is Output.WIDE)


def _table(revisions: list[dict[str, Any]], *, wide: bool) -> None:
    titles = ["REVISION", "MODEL", "ORIGIN", "RESULT", "STARTED", "MESSAGE"]
    rows = [
        [
            str(one["number"]),
            f"{one.get('model')}@{one.get('modelRevision')}",
            _origin(one),
            facts.plain(one.get("result")),
            facts.age(one.get("startTime")),
            facts.plain(one.get("message")),
        ]
        for one in revisions
    ]
    printing.table(titles, rows, wide=wide)


def _origin(revision: dict[str, Any]) -> str:
    """`undo to 1`: where the content of a revision comes from."""
    source = revision.get("source")
    origin = facts.plain(revision.get("origin"))
    return origin if source is None else f"{origin} to {source}"


@app.command()
def pause(context: typer.Context, name: _Name) -> None:
    """Start nothing new; devices in the middle finish.

    Example: shoal rollout pause digits
    """
    _act(context.obj, name, "pause")


@app.command()
def resume(
    context: typer.Context,
    name: _Name,
    follow: Annotated[
        bool, typer.Option("--follow", help="follow new Model revisions again after an undo")
    ] = False,
) -> None:
    """Go on after a pause.

    Example: shoal rollout resume digits
    """
    _act(context.obj, name, "resume", follow=follow)


@app.command()
def abort(context: typer.Context, name: _Name, yes: _Yes = False) -> None:
    """Give the revision up; its devices return to what they ran.

    Example: shoal rollout abort digits
    """
    _agree(context.obj, name, "aborting", yes=yes)
    _act(context.obj, name, "abort")


@app.command()
def promote(
    context: typer.Context,
    name: _Name,
    full: Annotated[
        bool, typer.Option("--full", help="open the last wave at once, whatever lies in between")
    ] = False,
    yes: _Yes = False,
) -> None:
    """Approve the next wave, or go on from a hold.

    What failed so far is waived: it stays in the history and counts no more. Refused while
    devices of the wave are under way: --full waits for none of them.

    Example: shoal rollout promote digits
    """
    if full:
        _agree(context.obj, name, "opening the last wave in", yes=yes)
    _act(context.obj, name, "promote", full=full)


@app.command()
def retry(context: typer.Context, name: _Name) -> None:
    """Try again what failed; lifts the quarantine of the revision.

    Example: shoal rollout retry digits
    """
    _act(context.obj, name, "retry")


@app.command()
def undo(
    context: typer.Context,
    name: _Name,
    to_revision: Annotated[
        int | None,
        typer.Option("--to-revision", min=1, help="default: the last other complete one"),
    ] = None,
    yes: _Yes = False,
) -> None:
    """Return to the content of an earlier revision, and stay there.

    Example: shoal rollout undo digits --to-revision 1
    """
    _agree(context.obj, name, "undoing", yes=yes)
    _act(context.obj, name, "undo", to_revision=to_revision)


def _agree(session: Session, name: str, what: str, *, yes: bool) -> None:
    """Asks for the number of devices that the deployment selects."""
    from shoal.client import kinds

    place = (session.invocation.one_namespace, [_plain_name(name)])
    confirming.agree(
        f"{what} the rollout of {_plain_name(name)}",
        lambda: reached.by(session.client, kinds.DEPLOYMENT, place),
        yes=yes,
    )


def _act(session: Session, name: str, word: str, **options: Any) -> None:
    from shoal.client.rollouts import Options, Verb

    deployment = session.client.rollouts.act(
        session.invocation.one_namespace,
        _plain_name(name),
        Verb(word),
        Options(**options),
    )
    if session.output in {Output.TABLE, Output.WIDE}:
        printing.line(f"{showing.name(deployment)} {_SAID[word]}")
    else:
        showing.one(session, deployment)


_SAID = {
    "pause": "paused",
    "resume": "resumed",
    "abort": "aborted",
    "promote": "promoted",
    "retry": "retried",
    "undo": "goes back",
}


def _plain_name(name: str) -> str:
    """`digits`, also where `deployment/digits` was written."""
    return name.rpartition("/")[2]
