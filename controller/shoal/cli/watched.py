"""The revision that a status was asked about, and whether a newer one took its place meanwhile."""

from typing import TYPE_CHECKING

from shoal.cli import facts, successors
from shoal.cli.facts import Resource
from shoal.contract.problem import NotFoundError

if TYPE_CHECKING:  # the client imports httpx, which --help must not
    from shoal.client.client import Client

_ACTIVE = "active"
_SUPERSEDED = "superseded"


class Watched:
    """Notes the revision that is going on first, unless a newer Model is about to replace it."""

    def __init__(self, client: "Client", key: tuple[str, str]) -> None:
        self._client = client
        self._namespace, self._name = key
        self._number: int | None = None

    def superseded(self, deployment: Resource) -> str | None:
        """What took the place of the noted revision; None while nothing has."""
        status = deployment.get("status") or {}
        if status.get("observedGeneration") != facts.at(deployment, "metadata.generation"):
            return None
        number = status.get("revision")
        if self._number is None:
            if status.get("result") == _ACTIVE and not self._replaced_soon(deployment):
                self._number = number
            return None
        if number == self._number or self._result() != _SUPERSEDED:
            return None
        return f"revision {self._number} was superseded by revision {number}"

    def _replaced_soon(self, deployment: Resource) -> bool:
        model = successors.model_of(deployment)
        if model is None:
            return False
        from shoal.client import kinds

        try:
            known = self._client.resources.get(kinds.MODEL, self._namespace, model)
        except NotFoundError:
            return False
        return successors.successor(deployment, known).stage is successors.Stage.COMING

    def _result(self) -> str | None:
        revisions = self._client.rollouts.revisions(self._namespace, self._name)
        found = (one.get("result") for one in revisions if one["number"] == self._number)
        return next(found, None)
