"""Operating curves of paired evidence: shadowed live inputs of devices, and the golden set."""

from collections.abc import Iterator
from functools import partial
from typing import Final

from bench.gating import inputs, judging, rivals, rows, streams
from bench.gating.inputs import Inputs
from bench.gating.judging import Outcome
from bench.gating.streams import Liars, Paired, Rng
from bench.report import Row
from shoal.controller.domain.evidence import Verdict

_LYING: Final = (Liars.WORSE, Liars.SUBTLE, Liars.BETTER)
_FLEETS: Final = (  # share of discordant inputs, ICC, devices
    (0.03, 0.02, 20),
    (0.03, 0.02, 50),
    (0.03, 0.1, 20),
    (0.10, 0.02, 20),
    (0.10, 0.02, 50),
    (0.10, 0.1, 50),
    (0.10, 0.1, 100),
)
# The design's samples for each of these fleets: (drop, limit) -> (n50, n90). Where fewer than 95 %
# of rollouts can be decided it promises none: devices, not samples, are what is missing.
_DESIGNED: Final[tuple[dict[tuple[float, float], tuple[int, int]], ...]] = (
    {
        (0.02, 0.0): (1842, 3147),
        (0.05, 0.0): (940, 1256),
        (0.05, 0.01): (1162, 1592),
        (0.01, 0.0): (5486, 10972),
        (0.0, 0.01): (3362, 8376),
        (0.0, 0.02): (1011, 2030),
    },
    {
        (0.02, 0.0): (1809, 3092),
        (0.05, 0.0): (916, 1273),
        (0.05, 0.01): (1187, 1679),
        (0.02, 0.01): (6443, 12842),
        (0.01, 0.0): (5038, 9837),
        (0.0, 0.01): (3348, 7196),
        (0.0, 0.02): (948, 1669),
    },
    {
        (0.02, 0.0): (1695, 3758),
        (0.05, 0.0): (919, 1263),
        (0.05, 0.01): (1142, 1800),
        (0.0, 0.02): (732, 2018),
    },
    {(0.05, 0.0): (1539, 2475), (0.05, 0.01): (1991, 3508)},
    {
        (0.02, 0.0): (4049, 8702),
        (0.05, 0.0): (1512, 2139),
        (0.05, 0.01): (1958, 3156),
        (0.0, 0.02): (3456, 7951),
    },
    {(0.05, 0.0): (1680, 2902), (0.05, 0.01): (2276, 4070)},
    {
        (0.02, 0.0): (6392, 19013),
        (0.05, 0.0): (1796, 2913),
        (0.05, 0.01): (2476, 4287),
        (0.0, 0.02): (4135, 13092),
    },
)
_GOLDEN: Final = (  # share of discordant inputs, drop, limit, designed n50
    (0.03, 0.02, 0.0, 997),
    (0.03, 0.05, 0.0, 262),
    (0.03, 0.05, 0.01, 395),
    (0.03, 0.0, 0.01, 2516),
    (0.03, 0.0, 0.02, 750),
    (0.10, 0.05, 0.0, 476),
    (0.10, 0.05, 0.01, 735),
    (0.10, 0.0, 0.02, 1841),
)


def aborts(runs: int) -> Iterator[Row]:
    """Identical sides watched continuously, alike within devices; then with liars."""
    settings = [
        (f"paired A/A, ICC {icc}, {devices} devices", Paired(devices=devices, icc=icc))
        for icc in (0.0, 0.02, 0.1)
        for devices in (10, 20, 50, 100)
    ]
    settings += [
        (
            f"paired A/A, {kind.value}, {devices} devices",
            Paired(devices=devices, icc=0.02, liars=kind),
        )
        for kind in _LYING
        for devices in (20, 100)
    ]
    for what, setting in settings:
        ours, pooled, fixed = zip(*rows.played(what, runs, partial(_aborts, setting)), strict=True)
        yield from rows.aborts(what, ours, {"pooled": pooled, "fixed threshold": fixed})


def at_the_limit(runs: int) -> Iterator[Row]:
    """A true drop exactly at the limit, without liars and with those that would hide it."""
    for limit in (0.01, 0.02, 0.05):
        for discordance, icc, devices in ((0.03, 0.1, 20), (0.10, 0.02, 20), (0.10, 0.1, 50)):
            for kind in (Liars.NONE, Liars.WORSE, Liars.BETTER):
                what = (
                    f"paired drop at the limit of {100 * limit:g} points, "
                    f"{_fleet(discordance, icc, devices)}, {kind.value}"
                )
                setting = Paired(
                    devices=devices, discordance=discordance, icc=icc, drop=limit, liars=kind
                )
                play = partial(_judged, setting, limit)
                yield from rows.at_the_limit(what, rows.played(what, runs, play))


def samples(runs: int) -> Iterator[Row]:
    """Samples to detect and to pass, beside what the design promises."""
    for fleet, designed in zip(_FLEETS, _DESIGNED, strict=True):
        for (drop, limit), (n50, n90) in designed.items():
            discordance, icc, devices = fleet
            what = f"paired drop {100 * drop:g}, limit {100 * limit:g}, {_fleet(*fleet)}"
            setting = Paired(devices=devices, discordance=discordance, icc=icc, drop=drop)
            outcomes = rows.played(what, runs, partial(_judged, setting, limit))
            if drop > limit:
                found = rows.decided(outcomes, Verdict.FAIL)
                yield rows.samples(f"{what}: n50 to detect / designed", found, 0.5, n50)
                continue
            found = rows.decided(outcomes, Verdict.PASS)
            yield rows.samples(f"{what}: n90 to pass / designed", found, 0.9, n90)
            early = [one.verdict is Verdict.PASS and one.samples <= 2 * n90 for one in outcomes]
            yield rows.share(f"{what}: passed within twice the designed n90 / 0.9", early, 0.9)


def masking(runs: int) -> Iterator[Row]:
    """A drop of 5 points that 5 % of the devices hide, at a limit of 2."""
    for devices in (20, 100):
        what = f"paired drop 5, limit 2, 5 % report always better, {devices} devices"
        setting = Paired(devices=devices, icc=0.02, drop=0.05, liars=Liars.BETTER)
        ours, pooled = zip(*rows.played(what, runs, partial(_masked, setting)), strict=True)
        for verdict, word in ((Verdict.FAIL, "detected"), (Verdict.PASS, "passed")):
            theirs = sum(one is verdict for one in pooled) / runs
            yield rows.share(f"{what}: {word} / pooled", [one is verdict for one in ours], theirs)


def golden_set(runs: int) -> Iterator[Row]:
    """Distinct inputs: false aborts beside counting every device's answers, inputs to a verdict."""
    for discordance in (0.03, 0.10):
        what = f"golden set A/A, {100 * discordance:g} % discordant, 5000 inputs"
        setting = Inputs(discordance=discordance, size=5000)
        ours, each = zip(*rows.played(what, runs, partial(_counted, setting)), strict=True)
        yield from rows.aborts(what, ours, {"counted on each of 20 devices": each})
    for discordance, drop, limit, n50 in _GOLDEN:
        what = (
            f"golden set drop {100 * drop:g}, limit {100 * limit:g}, "
            f"{100 * discordance:g} % discordant"
        )
        setting = Inputs(discordance=discordance, drop=drop)
        outcomes = rows.played(what, runs, partial(_answered, setting, limit))
        wanted, verb = (Verdict.FAIL, "detect") if drop > limit else (Verdict.PASS, "pass")
        found = rows.decided(outcomes, wanted)
        yield rows.samples(f"{what}: n50 to {verb} / designed", found, 0.5, n50)


def _aborts(setting: Paired, rng: Rng) -> tuple[bool, bool, bool]:
    stream = streams.paired(setting, rng)
    return (
        judging.paired(stream, judging.a_design(0.0)).verdict is Verdict.FAIL,
        rivals.pooled_betting(stream, 0.0) is Verdict.FAIL,
        rivals.threshold_paired(stream),
    )


def _judged(setting: Paired, limit: float, rng: Rng) -> Outcome:
    return judging.paired(streams.paired(setting, rng), judging.a_design(limit))


def _masked(setting: Paired, rng: Rng) -> tuple[Verdict, Verdict]:
    stream = streams.paired(setting, rng)
    ours = judging.paired(stream, judging.a_design(0.02)).verdict
    return ours, rivals.pooled_betting(stream, 0.02)


def _counted(setting: Inputs, rng: Rng) -> tuple[bool, bool]:
    counted = inputs.play(setting, rng)
    return (
        inputs.judge(counted, 0.0).verdict is Verdict.FAIL,
        inputs.judge(counted, 0.0, devices=20).verdict is Verdict.FAIL,
    )


def _answered(setting: Inputs, limit: float, rng: Rng) -> Outcome:
    return inputs.judge(inputs.play(setting, rng), limit)


def _fleet(discordance: float, icc: float, devices: int) -> str:
    return f"{100 * discordance:g} % discordant, ICC {icc}, {devices} devices"
