import asyncio
from pathlib import Path

import pytest

from shoal.agent.core.ports import SlotSpec
from shoal.agent.errors import EngineError
from shoal.agent.serve.engine import Engine
from shoal.agent.serve.loader import Loader
from shoal.agent.serve.sessions import Session, SessionOptions
from shoal.agent.serve.slots import Slot, Slots
from shoal.contract import digest
from shoal.contract.reason import Reason
from tests.unit.agent_serve import models

DEPLOYMENT = "default/reader"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return models.pick(tmp_path / "m")


def a_spec(path: Path, generation: int, deployment: str = DEPLOYMENT) -> SlotSpec:
    return SlotSpec(
        deployment=deployment,
        model="digits",
        generation=generation,
        variant=digest.of_file(path),
        path=path,
    )


def a_slot(path: Path, generation: int, deployment: str = DEPLOYMENT) -> Slot:
    return Slot(a_spec(path, generation, deployment), Session(path, SessionOptions()), 0.001)


def test_a_switch_is_seen_by_later_requests_and_not_by_earlier_ones(model: Path) -> None:
    slots = Slots()
    slots.stage(a_slot(model, 1))
    assert slots.switch(DEPLOYMENT, 1)[1] is None
    first = slots.active(DEPLOYMENT)
    with first:
        slots.stage(a_slot(model, 2))
        _, old = slots.switch(DEPLOYMENT, 2)
        assert old is first
        assert slots.active(DEPLOYMENT) is not first
        assert first.session.run(first.session.example())


def test_a_slot_is_drained_when_its_last_request_has_gone(model: Path) -> None:
    async def main() -> None:
        slot = a_slot(model, 1)
        await slot.drained()
        with slot:
            with slot:
                waiting = asyncio.create_task(slot.drained())
                await asyncio.sleep(0)
                assert not waiting.done()
            await asyncio.sleep(0)
            assert not waiting.done()
        await waiting

    asyncio.run(main())


def test_a_newer_candidate_replaces_one_that_was_not_activated(model: Path) -> None:
    slots = Slots()
    first = a_slot(model, 1)
    assert slots.stage(first) is None
    assert slots.stage(a_slot(model, 2)) is first
    with pytest.raises(EngineError) as caught:
        slots.switch(DEPLOYMENT, 1)
    assert caught.value.reason is Reason.NOT_FOUND
    slots.switch(DEPLOYMENT, 2)


def test_a_model_belongs_to_the_deployment_that_came_first(model: Path) -> None:
    slots = Slots()
    slots.stage(a_slot(model, 1))
    with pytest.raises(EngineError) as caught:
        slots.stage(a_slot(model, 1, "default/younger"))
    assert caught.value.reason is Reason.CONFLICT
    assert DEPLOYMENT in caught.value.message
    assert "default/younger" in caught.value.message


def test_taking_back_the_only_candidate_frees_the_model_name(model: Path) -> None:
    slots = Slots()
    slots.stage(a_slot(model, 1))
    assert slots.unstage(DEPLOYMENT, 2) is None
    assert slots.unstage(DEPLOYMENT, 1) is not None
    assert slots.unstage(DEPLOYMENT, 1) is None
    slots.stage(a_slot(model, 1, "default/younger"))


def test_cost_follows_what_runs_take_a_row(model: Path) -> None:
    slot = a_slot(model, 1)
    for _ in range(200):
        slot.observe(0.004, rows=8)
    assert slot.expected_s(1) == pytest.approx(0.0005)
    assert slot.expected_s(8) == pytest.approx(0.004)


def test_the_engine_drops_the_old_session_only_when_its_requests_have_gone(model: Path) -> None:
    async def main() -> None:
        slots = Slots()
        engine = Engine(slots, Loader())
        await engine.load(a_spec(model, 1))
        await engine.activate(DEPLOYMENT, 1)
        old = slots.active(DEPLOYMENT)
        await engine.load(a_spec(model, 2))
        with old:
            switching = asyncio.create_task(engine.activate(DEPLOYMENT, 2))
            await asyncio.sleep(0)
            assert slots.active(DEPLOYMENT).spec.generation == 2
            assert not switching.done()
            assert old.session.inputs[0].name == "x"
        await switching
        with pytest.raises(RuntimeError):
            _ = old.session

    asyncio.run(main())


def test_a_removed_deployment_drains_before_it_goes(model: Path) -> None:
    async def main() -> None:
        slots = Slots()
        engine = Engine(slots, Loader())
        await engine.load(a_spec(model, 1))
        await engine.activate(DEPLOYMENT, 1)
        active = slots.active(DEPLOYMENT)
        with active:
            removing = asyncio.create_task(engine.remove(DEPLOYMENT))
            await asyncio.sleep(0)
            assert slots.of_model("digits") is None
            assert active.session.inputs
        await removing

    asyncio.run(main())
