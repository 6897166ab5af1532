from collections.abc import Callable
from typing import Any

OnApi = Callable[..., None]
NOW_MS = 1_767_323_045_678
DEPLOYMENT = {
    "apiVersion": "shoal/v1",
    "kind": "Deployment",
    "metadata": {"name": "digits"},
    "spec": {"model": "digits", "selector": {}},
}


def test_verbs_reach_the_rollout(on_api: OnApi) -> None:
    async def story(api: Any) -> None:
        path = "/namespaces/default/deployments/digits/rollout"
        assert (await api.ask("POST", path, json={"verb": "pause"})).status_code == 404
        await api.apply(DEPLOYMENT)
        for body in (
            {"verb": "undo", "toRevision": 2, "follow": False},
            {"verb": "resume", "toRevision": None, "follow": True},
            {"verb": "promote", "full": True},
        ):
            answer = await api.ask("POST", path, json=body)
            assert (answer.status_code, answer.json()["kind"]) == (200, "Deployment")
        undo, resume, promote = api.rollouts.requests
        assert (undo.deployment, undo.verb, undo.to_revision) == ("default/digits", "undo", 2)
        assert (resume.verb, resume.follow, resume.full) == ("resume", True, False)
        assert (promote.verb, promote.full) == ("promote", True)
        api.rollouts.refused.add("abort")
        assert (await api.ask("POST", path, json={"verb": "abort"})).status_code == 409
        refused: list[dict[str, Any]] = [
            {"verb": "undoo"},
            {"verb": []},
            {},
            {"verb": "pause", "toRevision": 1},
            {"verb": "undo", "toRevision": 0},
            {"verb": "undo", "follow": True},
            {"verb": "resume", "follow": 1},
            {"verb": "undo", "full": True},
            {"verb": "promote", "full": "yes"},
            {"verb": "pause", "force": True},
        ]
        for wrong in refused:
            assert (await api.ask("POST", path, json=wrong)).status_code == 422, wrong

    on_api(story)


def test_revisions_are_those_of_the_deployment(on_api: OnApi) -> None:
    async def story(api: Any) -> None:
        path = "/namespaces/default/deployments/digits/revisions"
        assert (await api.ask("GET", path)).status_code == 404
        await api.apply(DEPLOYMENT)
        api.rollouts.history.append({"deployment": "default/digits", "number": 1})
        assert (await api.ask("GET", path)).json()["items"][0]["number"] == 1

    on_api(story)
