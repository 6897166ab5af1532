from dataclasses import replace

from shoal.contract.digest import Digest
from shoal.contract.report import GoldenAnswers, Phase
from shoal.controller.domain.archive import GoldenSet
from shoal.controller.domain.evidence import GateVerdict
from shoal.controller.domain.gating import GateSpec, Metric
from shoal.controller.gates import engine, golden
from shoal.controller.planning.judging import ballots
from tests.unit.planning.builders import (
    ACCURACY,
    GOLDEN,
    LABELS,
    RIGHT,
    ROWS,
    SMALL,
    WRONG,
    a_model,
    a_strategy,
    a_wave,
    an_archive,
    devices_of,
    variant,
)
from tests.unit.planning.worlds import Make, World, a_second_rollout

GATED = a_strategy(gates=(ACCURACY,), waves=(a_wave("all", 100),))


def a_soaking_fleet(make: Make, count: int = 3, gate: GateSpec = ACCURACY) -> World:
    """Devices that were just told revision 2."""
    strategy = replace(GATED, gates=(gate,))
    return a_second_rollout(make, strategy=strategy, fleet=devices_of(SMALL, count))


def gate_of(world: World) -> GateVerdict:
    return world.plan.status.waves[-1].gates[0]


def wrong_on(count: int) -> tuple[int, ...]:
    """Right but for the first inputs."""
    return (*WRONG[:count], *RIGHT[count:])


def test_fifteen_devices_with_the_same_answers_are_one_set_of_inputs(make: Make) -> None:
    answers = wrong_on(20)
    one = a_soaking_fleet(make, 1)
    one.soak(*one.fresh(), answers=answers, past=RIGHT)
    one.turn(1.0)
    many = a_soaking_fleet(make, 15)
    many.soak(*many.fresh(), answers=answers, past=RIGHT)
    many.turn(1.0)
    assert gate_of(many).samples == gate_of(one).samples == ROWS
    assert gate_of(many).interval == gate_of(one).interval


def test_the_ballots_are_bounded_and_a_majority_outvotes_a_liar(make: Make) -> None:
    world = a_soaking_fleet(make, 20)
    names = sorted(world.fresh())
    world.soak(names[0], answers=WRONG, past=RIGHT)
    world.soak(*names[1:], past=RIGHT)
    world.turn(1.0)
    assert len(world.record.cohorts[0].ballots) == ballots.VOTERS
    assert gate_of(world).verdict == "pass"


def test_each_gate_fails_at_its_share_of_alpha(make: Make) -> None:
    world = a_second_rollout(make, strategy=a_strategy(gates=(ACCURACY,)))
    for cohort in world.record.cohorts:
        assert cohort.alpha_share == 3
    canary = world.fresh()[0]
    world.soak(canary, answers=wrong_on(40), past=RIGHT)
    world.turn(1.0)
    shown = (
        next(one for one in world.record.revisions[1].waves[0].gates if one.samples)
        if (world.record.revisions[1].waves[0].gates)
        else next(one for one in world.plan.status.waves[0].gates if one.samples)
    )
    counted = golden.Tally(worse=40, better=0, same=ROWS - 40, active_right=ROWS)
    assert shown.interval == golden.interval(counted, 0.05 * 0.9 / 3, engine.ALPHA_PASS)


def test_the_numbers_are_the_drop_against_the_active_side(make: Make) -> None:
    world = a_soaking_fleet(make)
    world.soak(*world.fresh(), answers=wrong_on(9), past=wrong_on(18))
    world.turn(1.0)
    shown = gate_of(world)
    assert shown.value == -9 / ROWS
    assert shown.baseline == 1 - 18 / ROWS
    assert shown.limit == 0.05
    assert "drop is between" in shown.message


def test_in_a_first_rollout_the_source_is_the_other_side(make: Make) -> None:
    archive = replace(
        an_archive(1),
        golden=GoldenSet(digest=GOLDEN, labels=LABELS, source_answers=wrong_on(36)),
    )
    world = make(strategy=GATED, fleet=devices_of(SMALL, 1), models=(a_model(1, archive),))
    world.turn()
    world.soak("small-0")
    world.turn(1.0)
    assert gate_of(world).baseline == 0.9
    assert gate_of(world).value == -0.1


def test_agreement_compares_with_the_active_side_and_needs_no_labels(make: Make) -> None:
    agreement = GateSpec(metric=Metric.AGREEMENT, limit=0.05)
    world = a_soaking_fleet(make, gate=agreement)
    world.soak(*world.fresh(), answers=wrong_on(9), past=RIGHT)
    world.turn(1.0)
    assert (gate_of(world).value, gate_of(world).baseline) == (9 / ROWS, 1.0)
    assert gate_of(world).verdict == "inconclusive"
    world = a_soaking_fleet(make, gate=agreement)
    world.soak(*world.fresh(), answers=WRONG, past=WRONG)
    world.turn(1.0)
    assert gate_of(world).verdict == "pass"  # equally wrong is still the same


def test_accuracy_without_labels_is_never_a_pass(make: Make) -> None:
    archive = replace(
        an_archive(1), golden=GoldenSet(digest=GOLDEN, labels=None, source_answers=RIGHT)
    )
    world = make(strategy=GATED, fleet=devices_of(SMALL, 1), models=(a_model(1, archive),))
    world.turn()
    world.confirm("small-0")
    world.turn(1.0)
    assert gate_of(world).verdict == "inconclusive"
    assert gate_of(world).message == "the golden set has no labels"


def test_without_a_golden_set_there_is_no_verdict(make: Make) -> None:
    models = (a_model(1, replace(an_archive(1), golden=None)),)
    world = make(strategy=GATED, fleet=devices_of(SMALL, 1), models=models)
    world.turn()
    world.confirm("small-0")
    world.turn(1.0)
    assert gate_of(world).verdict == "inconclusive"
    assert gate_of(world).message == "there is no golden set for this cohort"
    assert world.reason == "GateInconclusive"


def test_few_inputs_say_how_many_are_needed(make: Make) -> None:
    few = GoldenSet(digest=GOLDEN, labels=LABELS[:40], source_answers=RIGHT[:40])
    models = (a_model(1, replace(an_archive(1), golden=few)),)
    world = make(strategy=GATED, fleet=devices_of(SMALL, 1), models=models)
    world.turn()
    world.confirm("small-0", answers=RIGHT[:40])
    world.device("small-0")
    world.soak("small-0", answers=RIGHT[:40])
    world.turn(1.0)
    assert "40 of at least 50 distinct inputs" in gate_of(world).message


def test_answers_that_do_not_fit_are_not_counted(make: Make) -> None:
    for answers in (
        GoldenAnswers(golden=GOLDEN, candidate=RIGHT[:7], active=()),
        GoldenAnswers(golden=GOLDEN, candidate=RIGHT, active=RIGHT[:7]),
        GoldenAnswers(golden=Digest("sha256:" + "0" * 64), candidate=RIGHT, active=()),
    ):
        world = a_soaking_fleet(make, 1)
        tell = world.told("small-0")
        world.report(
            "small-0",
            Phase.SOAKING,
            running=tell.target.variant,
            running_generation=tell.generation,
            golden=answers,
        )
        world.turn(1.0)
        assert gate_of(world).samples == 0


def test_answers_before_the_switch_are_not_counted(make: Make) -> None:
    world = a_soaking_fleet(make, 1)
    answers = GoldenAnswers(golden=GOLDEN, candidate=WRONG, active=RIGHT)
    world.report("small-0", Phase.PREFLIGHT, golden=answers)
    world.turn(1.0)
    assert gate_of(world).samples == 0
    assert world.status == "active"


def test_answers_of_another_variant_are_not_counted(make: Make) -> None:
    world = a_soaking_fleet(make, 1)
    answers = GoldenAnswers(golden=GOLDEN, candidate=WRONG, active=RIGHT)
    world.report("small-0", Phase.SOAKING, running=variant(1, 100), golden=answers)
    world.turn(1.0)
    assert gate_of(world).samples == 0


def test_a_pass_stays_through_later_waves_and_a_fail_beats_it(make: Make) -> None:
    world = a_second_rollout(
        make, strategy=a_strategy(gates=(ACCURACY,)), fleet=devices_of(SMALL, 9)
    )
    world.confirm(*world.fresh())
    world.turn(1.0)
    assert gate_of_now(world).verdict == "pass"
    names = world.fresh()
    world.soak(*names, answers=WRONG, past=RIGHT)
    world.turn(1.0)
    assert world.record.revisions[1].result == "rolled-back"


def gate_of_now(world: World) -> GateVerdict:
    return world.plan.status.waves[world.plan.status.wave].gates[0]


def test_the_majority_of_equals_is_the_smallest_answer() -> None:
    assert ballots.majority([(1, 2), (1, 3), (4, 2), (4, 3)]) == (1, 2)
    assert ballots.majority([(1, 2, 3)]) == (1, 2, 3)
