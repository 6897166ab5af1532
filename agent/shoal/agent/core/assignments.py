"""What to take up and what to leave: new generations, and deployments that are gone."""

from dataclasses import replace

from shoal.agent.core import events as ev
from shoal.agent.core.effects import Collect, Point, Remove, Survey
from shoal.agent.core.lives import Install, Life, State
from shoal.agent.core.outcomes import Outcome, abandon, cancel, finish, forgiven, issue
from shoal.contract.assignment import ArtifactRole, Assignment
from shoal.contract.reason import Reason


def begin(life: Life, assignment: Assignment) -> Outcome:
    """Start, or start again, with an assignment from nothing but the disk and the active slot."""
    life = replace(
        life,
        state=State.PENDING,
        assignment=assignment,
        install=Install(),
        successor=None,
        leaving=False,
    )
    model = assignment.artifact(ArtifactRole.MODEL)
    if model is None or model.digest != assignment.variant:
        message = "the assignment does not carry the model file of its variant"
        return finish(life, State.FAILED, Reason.INVALID, message)
    if life.is_bad(assignment.variant):
        message = "this variant failed to start three times on this device"
        return finish(life, State.REFUSED, Reason.BAD_SLOT, message)
    life = issue(life)
    survey = Survey(
        deployment=life.deployment, ticket=life.install.ticket, artifacts=assignment.artifacts
    )
    return life, (Collect(), survey)


def take_up(life: Life, assignment: Assignment) -> Outcome:
    """Begin a newer generation: whoever gave it has decided anew, also where its digest is bad.

    A digest that failed three starts under an earlier generation may start three times more, no
    more: what counts then is what happens under this one. A crash loop thus ends with the
    generation, and goes on only for as long as somebody retries it by hand.
    """
    return begin(forgiven(life, assignment.variant), assignment)


def supersede(life: Life, event: ev.Assigned, now: float) -> Outcome:
    """The newest assignment replaces the present one at once (design section 6 point 1)."""
    del now
    begun, effects = take_up(life, event.assignment)
    return begun, (*abandon(life), *effects)


def follow(life: Life, event: ev.Assigned, now: float) -> Outcome:
    """The newest assignment waits for the end of a switch or of a removal."""
    del now
    return replace(life, successor=event.assignment, leaving=False), ()


def depart(life: Life, event: ev.Unassigned, now: float) -> Outcome:
    """Stop serving a deployment that is no longer assigned."""
    del event, now
    restore = () if life.restore == 0 else (cancel(life, life.restore),)
    going = issue(replace(life, state=State.REMOVING, restore=0, successor=None, leaving=False))
    remove = Remove(deployment=life.deployment, ticket=going.install.ticket)
    return going, (*abandon(life), *restore, remove)


def depart_later(life: Life, event: ev.Unassigned, now: float) -> Outcome:
    """The deployment leaves once the switch has ended, or is leaving already."""
    del event, now
    return replace(life, successor=None, leaving=life.state is State.SWITCHING), ()


def removed(life: Life, event: ev.Removed, now: float) -> Outcome:
    """Nothing of the deployment is left; an assignment that came meanwhile starts from nothing."""
    del event, now
    gone = Point(deployment=life.deployment, current=None, previous=None)
    bare = replace(life, active=None, previous=None, up=False, restore=0)
    if life.successor is None:
        return bare, (gone, Collect())
    begun, effects = take_up(bare, life.successor)
    return begun, (gone, *effects)
