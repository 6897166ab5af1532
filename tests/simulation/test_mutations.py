"""The simulation notices a weakened planner: for each weakening, in which scenario.

Each guard is left out, or a rule is replaced by one that always lets pass; a few seeds of the
scenario must then break a law: an error of another kind does not count. `tests/unit/planning` does
the same with stories for every guard and rule.
"""

import functools
import math
from collections.abc import Callable
from types import ModuleType

import pytest

from shoal.contract import windows
from shoal.controller.domain.revisions import Result
from shoal.controller.domain.strategy import Rate
from shoal.controller.gates import golden
from shoal.controller.planning import budgets, pacing, planner, ranking, standing, targets
from shoal.controller.planning.view import Member
from shoal.lab.simulation import scenarios
from shoal.lab.simulation.laws import BrokenLawError
from tests.simulation import regressions

Noticed = Callable[[], None]

SEEDS = 24


def some_seed_of(name: str) -> Noticed:
    """Runs of a scenario, until a law is broken."""

    def play() -> None:
        for seed in range(SEEDS):
            scenarios.run(scenarios.SCENARIOS[name], seed)

    return play


def tale(place: int) -> Noticed:
    """A run that once broke a law."""

    def play() -> None:
        name, seed, actions = regressions.TALES[place]
        simulation = scenarios.begin(scenarios.SCENARIOS[name], seed)
        simulation.apply(*actions)
        scenarios.finish(simulation)

    return play


GUARDS = {
    "deleted": "owners",
    "runnable": "owners",
    "intents": "operators",
    "superseding": "faults",
    "failing": "faults",
    "pausing": "operators",
    "deadlines": "doubts",
    "quorums": "doubts",
    "assigning": "faults",
    "thresholds": "doubts",
    "inconclusive": "doubts",
    "approvals": "clocks",
    "advancing": "faults",
}

# What is weakened, where, to what, and where that is noticed.
RULES: dict[str, tuple[ModuleType | type, str, object, Noticed]] = {
    "waves have a size": (
        ranking,
        "joins",
        lambda _, ordered, *__: (0,) * len(ordered),
        some_seed_of("faults"),
    ),
    "a failed golden set fails": (golden, "fails", lambda *_: False, some_seed_of("faults")),
    "confirmed is observed": (standing, "confirmed", lambda *_: True, some_seed_of("faults")),
    "what was given up is a tombstone": (
        Result,
        "tombstone",
        property(lambda _: False),
        some_seed_of("operators"),
    ),
    "windows are asked": (windows, "is_open", lambda *_: True, some_seed_of("pacing")),
    "suspended devices start nothing": (
        pacing,
        "withheld",
        lambda *_: None,
        some_seed_of("pacing"),
    ),
    "the rate limits": (pacing, "left", lambda _: math.inf, some_seed_of("pacing")),
    "the rate remembers": (
        pacing,
        "counted",
        lambda record, *_: record,
        some_seed_of("pacing"),
    ),
    "the rate grows from its start": (
        Rate,
        "after",
        lambda rate, _: rate.per_minute,
        some_seed_of("pacing"),
    ),
    "groups have budgets": (
        budgets,
        "groups_of",
        lambda *_: (budgets.EVERYONE,),
        some_seed_of("pacing"),
    ),
    "the deployment has a budget": (
        budgets.Room,
        "take",
        lambda *_: None,
        some_seed_of("faults"),
    ),
    "what was never proven is taken back": (targets, "stale", lambda *_: False, tale(4)),
    "what was waived is of its revision": (
        Member,
        "waived",
        property(lambda one: one.known is not None and one.known.waived),
        tale(0),
    ),
    "bad ones are no measure": (targets, "doubtful", lambda *_: False, tale(2)),
}


def name_of(guard: planner.Guard) -> str:
    return guard.__module__.rsplit(".", 1)[-1]


def test_every_guard_is_left_out_once() -> None:
    assert set(GUARDS) == {name_of(one) for one in planner.GUARDS}


@pytest.mark.parametrize("left_out", GUARDS)
def test_leaving_out_a_guard_breaks_a_law(monkeypatch: pytest.MonkeyPatch, left_out: str) -> None:
    guards = tuple(one for one in planner.GUARDS if name_of(one) != left_out)
    assert len(guards) == len(planner.GUARDS) - 1
    monkeypatch.setattr(planner, "plan", functools.partial(planner.plan, guards=guards))
    with pytest.raises(BrokenLawError, match=r"^law \d+: "):
        some_seed_of(GUARDS[left_out])()


@pytest.mark.parametrize("rule", RULES)
def test_weakening_a_rule_breaks_a_law(monkeypatch: pytest.MonkeyPatch, rule: str) -> None:
    where, what, weakened, play = RULES[rule]
    monkeypatch.setattr(where, what, weakened)
    with pytest.raises(BrokenLawError, match=r"^law \d+: "):
        play()
