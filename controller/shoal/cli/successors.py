"""What is still to come: a newer Model that a deployment follows and has not started on yet.

Between `apply` of a Model and its rollout lies the search for variants. A status that looked at the
deployment alone would call the old rollout's result the answer to the new file.
"""

import enum
from dataclasses import dataclass

from shoal.cli import facts
from shoal.cli.facts import Resource


class Stage(enum.Enum):
    """How far the newer Model is."""

    NONE = "none"
    COMING = "coming"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Successor:
    """What follows the deployment's current revision, and why it is not here yet.

    `next_is_deployment` says that the Model is done, and the deployment's own change comes next.
    """

    stage: Stage
    message: str = ""
    next_is_deployment: bool = False


NOTHING = Successor(stage=Stage.NONE)


def model_of(deployment: Resource) -> str | None:
    """The Model whose next revision the deployment will take; None where it is pinned.

    After an undo it follows no revision that was there before, but a newer one again.
    """
    name = str(facts.at(deployment, "spec.model") or "")
    return name if "@" not in name else None


def successor(deployment: Resource, model: Resource) -> Successor:
    """What of `model`, newer than what `deployment` took, has not become its rollout yet."""
    name = model["metadata"]["name"]
    if facts.at(model, "status.observedGeneration") != facts.at(model, "metadata.generation"):
        return Successor(stage=Stage.COMING, message=f"model {name} is being read")
    revisions = facts.at(model, "status.revisions") or []
    newest = revisions[-1] if revisions else None
    taken = facts.at(deployment, "status.takenModelRevision") or 0
    if newest is None or newest["number"] <= taken:
        return NOTHING
    which = f"revision {newest['number']} of model {name}"
    if newest["ready"]:
        text = f"{which} is about to start"
        return Successor(stage=Stage.COMING, message=text, next_is_deployment=True)
    if newest["reason"] == "Searching":
        return Successor(stage=Stage.COMING, message=f"variants of {which} are being searched")
    message = f"{which} failed: {newest['message']} [{newest['reason']}]"
    return Successor(stage=Stage.FAILED, message=message)
