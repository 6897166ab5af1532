"""Why things are as they are, and decisions that are decided so again."""

from collections.abc import Callable
from pathlib import Path

import jsonschema_rs
import pytest

from shoal.contract.problem import NotFoundError
from shoal.controller.api import shapes
from shoal.controller.reconcile.hindsight import Hindsight
from shoal.controller.reconcile.world import put_over
from tests.unit.reconcile.stages import AUTHOR, Stage, Story, a_stage


@pytest.fixture
def on_stage(tmp_path: Path) -> Callable[[Story], None]:
    return a_stage(tmp_path)


def test_why_cites_the_decision_that_froze_the_choice(on_stage: Callable[[Story], None]) -> None:
    async def story(stage: Stage) -> None:
        await stage.reconcile()
        found = await stage.hindsight.why_deployment("default", "digits")
        assert (found["state"], found["frozenBy"]["number"]) == ("active", 1)
        (cohort,) = found["cohorts"]
        assert [one["fate"] for one in cohort["variants"]] == ["chosen", "mayFallTo"]
        device = await stage.hindsight.why_device("default", "cam-1")
        (one,) = device["deployments"]
        assert (one["outcome"], one["decision"]["number"]) == ("Pending", 1)
        assert device["reach"] == "reachable"
        with pytest.raises(NotFoundError):
            await stage.hindsight.why_device("default", "nobody")

    on_stage(story)


def test_why_tells_a_device_that_operators_took_out(on_stage: Callable[[Story], None]) -> None:
    async def story(stage: Stage) -> None:
        await stage.reconcile()
        record = stage.world.cache.get("Device", "default", "cam-1")
        assert record is not None
        revoked = {"approval": "Revoked", "by": "ada", "since": "2026-01-02T03:04:05Z"}
        data = {**record.data, "standing": revoked}
        await stage.world.commit([put_over(record, "Device", ("default", "cam-1"), data)])
        device = await stage.hindsight.why_device("default", "cam-1")
        assert (device["standing"], device["because"]) == (
            "Revoked",
            "by ada at 2026-01-02T03:04:05Z",
        )
        (one,) = device["deployments"]
        assert (one["outcome"], one["waitsFor"]) == ("NotSelected", device["waitsFor"])

    on_stage(story)


def test_kept_decisions_are_listed_and_decided_again(on_stage: Callable[[Story], None]) -> None:
    async def story(stage: Stage) -> None:
        await stage.reconcile()
        await stage.take_up("cam-1")
        await stage.reconcile()
        await stage.take_up("cam-2")
        await stage.reconcile()
        rows = await stage.hindsight.decisions("default", "digits", replay=True)
        assert [one["number"] for one in rows] == list(range(1, len(rows) + 1))
        assert rows[-1]["result"] == "complete"
        replayed = {"same": True, "difference": "", "sameCode": True}
        assert all(one["replay"] == replayed for one in rows)
        assert (
            "replay" not in (await stage.hindsight.decisions("default", "digits", replay=False))[0]
        )

    on_stage(story)


def test_every_field_of_a_kept_decision_is_documented(on_stage: Callable[[Story], None]) -> None:
    async def story(stage: Stage) -> None:
        await stage.reconcile()
        rows = await stage.hindsight.decisions("default", "digits", replay=True)
        jsonschema_rs.validate(shapes.DECISIONS, {"items": rows, "continue": None})
        documented = shapes.DECISIONS["properties"]["items"]["items"]["properties"]
        assert set(rows[0]) == set(documented)

    on_stage(story)


def test_a_decision_that_other_code_took_says_so(on_stage: Callable[[Story], None]) -> None:
    async def story(stage: Stage) -> None:
        await stage.reconcile()
        newer = Hindsight(stage.world, stage.decisions, "sha256:0ther")
        (row,) = await newer.decisions("default", "digits", replay=True)
        assert (row["code"], row["replay"]["sameCode"]) == (AUTHOR.code, False)

    on_stage(story)


def test_decisions_of_a_deleted_deployment_are_forgotten(
    on_stage: Callable[[Story], None],
) -> None:
    async def story(stage: Stage) -> None:
        await stage.reconcile()
        gone = stage.resource("Deployment", "digits")
        gone["metadata"]["deletionTime"] = "2026-01-02T03:04:05.678Z"
        record = stage.world.cache.get("Deployment", "default", "digits")
        await stage.world.commit([put_over(record, "Deployment", ("default", "digits"), gone)])
        await stage.reconcile()
        with pytest.raises(NotFoundError):
            await stage.hindsight.decisions("default", "digits", replay=False)

    on_stage(story)
