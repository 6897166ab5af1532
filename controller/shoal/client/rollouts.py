"""Rollouts of deployments: the verbs and the history."""

import enum
from dataclasses import dataclass
from typing import Any

from shoal.client.kinds import DEPLOYMENT
from shoal.client.places import Item
from shoal.client.resources import Resource
from shoal.client.transport import Request, Transport


class Verb(enum.StrEnum):
    """What an operator may do to a rollout."""

    PAUSE = "pause"
    RESUME = "resume"
    ABORT = "abort"
    PROMOTE = "promote"
    RETRY = "retry"
    UNDO = "undo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """`to_revision` goes with undo, `follow` with resume, `full` with promote."""

    to_revision: int | None = None
    follow: bool = False
    full: bool = False


class Rollouts:
    """The rollouts of one controller."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def act(
        self,
        namespace: str,
        name: str,
        verb: Verb,
        options: Options = Options(),
    ) -> Resource:
        """The deployment after `verb`.

        Raises:
            ConflictError: the rollout is not in a state in which this can be done.
        """
        body = {
            "verb": verb.value,
            "toRevision": options.to_revision,
            "follow": options.follow,
            **({"full": True} if options.full else {}),
        }
        request = Request.of(_deployment(namespace, name), "POST", "/rollout", body=body)
        return self._transport.json(request)

    def revisions(self, namespace: str, name: str) -> list[dict[str, Any]]:
        """The revisions of a deployment, the oldest first, as the API describes them."""
        request = Request.of(_deployment(namespace, name), below="/revisions")
        items = self._transport.json(request)["items"]
        return sorted(items, key=lambda revision: int(revision["number"]))

    def waves(self, namespace: str, name: str, *, devices: int) -> list[dict[str, Any]]:
        """The waves that have devices, with at most so many devices each, trouble first."""
        item, query = _deployment(namespace, name), {"devices": devices}
        request = Request.of(item, below="/waves", query=query)
        items: list[dict[str, Any]] = self._transport.json(request)["items"]
        return items


def _deployment(namespace: str, name: str) -> Item:
    return Item(plural=DEPLOYMENT.plural, namespace=namespace, name=name)
