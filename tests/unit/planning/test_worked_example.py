"""The worked example of docs/rollouts.md is what the planner does with the manifest shown there."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import yaml

from shoal.controller.domain.fleet import DeviceView
from shoal.controller.domain.strategy import strategy_from_json
from shoal.resources.parsing import parse
from tests.unit.planning.builders import SMALL
from tests.unit.planning.worlds import World

TEXT = (Path(__file__).parents[3] / "docs" / "rollouts.md").read_text()
EXAMPLE = TEXT[TEXT.index("## A worked example") :]
SITES = ("lab",) * 2 + ("north",) * 9 + ("south",) * 9
TAKES_S = 40.0  # from being told until confirmed


def a_reader(number: int, site: str) -> DeviceView:
    return DeviceView(name=f"reader-{number}", cohort=SMALL, labels=(("site", site),))


def the_world() -> World:
    manifest = yaml.safe_load(re.findall(r"```yaml\n(.*?)```", EXAMPLE, re.DOTALL)[0])
    strategy = strategy_from_json(parse(manifest).spec)
    friday = datetime(2026, 11, 27, 11, 0, tzinfo=UTC).timestamp()
    fleet = [a_reader(i, site) for i, site in enumerate(SITES)]
    return World(strategy=replace(strategy, gates=()), fleet=fleet, now=friday)


def test_the_table_shows_when_how_many_devices_are_told() -> None:
    world = the_world()
    told_at: dict[str, float] = {}
    rows: list[tuple[str, str, int, int]] = []
    world.turn()
    assert (world.reason, world.plan.wake_at) == ("OutsideWindow", opening())
    world.now = opening() - 10
    while world.status != "complete":
        due = [one for one, at in told_at.items() if at + TAKES_S <= world.now + 10]
        world.confirm(*due)
        for one in due:
            del told_at[one]
        world.turn(10.0)
        told_at |= dict.fromkeys(world.fresh(), world.now)
        if world.fresh():
            wave = world.plan.status.waves[world.plan.status.wave].name
            rows.append((clock(world.now), wave, len(world.fresh()), len(world.targets())))
    assert rows == the_table()


def opening() -> float:
    """Saturday at two in Berlin."""
    return datetime(2026, 11, 28, 1, 0, tzinfo=UTC).timestamp()


def clock(now: float) -> str:
    since = round(now - opening())
    return f"{2 + since // 3600}:{since // 60 % 60:02}:{since % 60:02}"


def the_table() -> list[tuple[str, str, int, int]]:
    found = re.findall(r"^\| (\d:\d\d:\d\d) \| (\w+) \| (\d+) \| (\d+) \|", EXAMPLE, re.MULTILINE)
    return [(when, wave, int(told), int(total)) for when, wave, told, total in found]
