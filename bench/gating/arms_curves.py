"""Operating curves of unpaired evidence: accuracy, errors, latency and incidents of two arms."""

import math
from collections.abc import Iterator
from functools import partial

from bench.gating import durations, judging, rivals, rows, streams
from bench.gating import mishaps as struck
from bench.gating.durations import Latency
from bench.gating.judging import ALPHA, Outcome
from bench.gating.mishaps import Mishaps
from bench.gating.streams import Liars, Rng, Unpaired
from bench.report import Row
from shoal.controller.domain.evidence import Verdict
from shoal.controller.gates import engine
from shoal.controller.gates.effects import Effect


def accuracy(runs: int) -> Iterator[Row]:
    """Unpaired accuracy: each device against its own past, beside pooled rates."""
    cases = [
        (base, icc, devices, Liars.NONE)
        for base in (0.95, 0.80)
        for icc in (0.02, 0.1)
        for devices in (20, 50)
    ]
    cases += [(0.95, 0.02, devices, Liars.WORSE) for devices in (20, 50)]
    for base, icc, devices, kind in cases:
        what = f"unpaired A/A, {_fleet(base, icc, devices)}, {kind.value}"
        setting = Unpaired(devices=devices, base=1 - base, icc=icc, liars=kind)
        ours, pooled, fixed = zip(
            *rows.played(what, runs, partial(_rate_aborts, setting)), strict=True
        )
        yield from rows.aborts(what, ours, {"pooled": pooled, "fixed threshold": fixed})
    for base, icc, devices in ((0.95, 0.02, 20), (0.80, 0.1, 50)):
        what = f"unpaired drop at the limit of 2 points, {_fleet(base, icc, devices)}"
        setting = Unpaired(devices=devices, base=1 - base, icc=icc, rise=0.02)
        play = partial(_judged, setting, 0.02, Effect.ACCURACY)
        yield from rows.at_the_limit(what, rows.played(what, runs, play))
    for drop, limit, base, icc, devices in (
        (0.02, 0.0, 0.95, 0.1, 20),
        (0.05, 0.01, 0.95, 0.1, 20),
        (0.05, 0.01, 0.80, 0.02, 50),
    ):
        fleet = _fleet(base, icc, devices)
        what = f"unpaired drop {100 * drop:g}, limit {100 * limit:g}, {fleet}"
        setting = Unpaired(devices=devices, base=1 - base, icc=icc, rise=drop)
        ours, without = zip(*rows.played(what, runs, partial(_pasts, setting, limit)), strict=True)
        theirs = sum(without) / runs
        yield rows.share(f"{what}: detected / without each device's past", ours, theirs)


def error_rate(runs: int) -> Iterator[Row]:
    """Errors of requests: 1 % before, at most 1.5 times as many allowed."""
    for icc, devices in ((0.02, 20), (0.1, 50)):
        for rate in (0.01, 0.015, 0.02, 0.05):
            what = f"error rate 1 % to {100 * rate:g} %, maxRatio 1.5, ICC {icc}, {devices} devices"
            setting = Unpaired(devices=devices, base=0.01, rise=rate - 0.01, icc=icc, samples=960)
            play = partial(_judged, setting, 0.005, Effect.ERROR_RATE)
            outcomes = rows.played(what, runs, play)
            if rate == 0.015:
                yield from rows.at_the_limit(what, outcomes)
                continue
            wanted = Verdict.FAIL if rate > 0.015 else Verdict.PASS
            if wanted is Verdict.PASS:
                wrong = [one.verdict is Verdict.FAIL for one in outcomes]
                yield rows.share(f"{what}: false aborts / alpha", wrong, ALPHA)
            right = [one.verdict is wanted for one in outcomes]
            yield rows.share(f"{what}: {wanted} / all", right, 1.0)


def latency(runs: int) -> Iterator[Row]:
    """The 95th percentile, beside pooled requests and each device's own past alone."""
    for devices, kind in (
        (10, Liars.NONE),
        (20, Liars.NONE),
        (50, Liars.NONE),
        (20, Liars.WORSE),
    ):
        what = f"latency p95 A/A, {devices} devices, {kind.value}"
        setting = Latency(devices=devices, liars=kind)
        ours, past, pooled, fixed = zip(
            *rows.played(what, runs, partial(_latency_aborts, setting)), strict=True
        )
        peers = {"own past only": past, "pooled": pooled, "fixed threshold": fixed}
        yield from rows.aborts(what, ours, peers)
    what = "latency p95 x1.1, maxRatio 1.1, 20 devices"
    play = partial(_slower, Latency(devices=20, ratio=1.1), 1.1)
    yield from rows.at_the_limit(what, rows.played(what, runs, play))
    for ratio, limit, n50 in ((1.1, 1.0, 2902), (1.5, 1.1, 1097)):
        what = f"latency p95 x{ratio}, maxRatio {limit}, 20 devices"
        play = partial(_slower, Latency(devices=20, ratio=ratio), limit)
        found = rows.decided(rows.played(what, runs, play), Verdict.FAIL)
        yield rows.samples(f"{what}: n50 to detect / designed", found, 0.5, n50)


def incidents(runs: int) -> Iterator[Row]:
    """First incidents, a tenth of the devices crash loops, beside counting every restart."""
    for devices in (20, 50, 100):
        for kind in (Liars.NONE, Liars.WORSE):
            what = f"incidents A/A, {devices} devices, {kind.value}"
            setting = Mishaps(devices=devices, liars=kind)
            ours, plain, pooled, fixed = zip(
                *rows.played(what, runs, partial(_incident_aborts, setting)), strict=True
            )
            peers = {
                "without the allowance for liars": plain,
                "pooled restarts": pooled,
                "more than 10 % of devices": fixed,
            }
            yield from rows.aborts(what, ours, peers)
        for ratio in (5.0, 10.0):
            what = f"incidents {ratio:g} times as frequent, {devices} devices: detected / all"
            play = partial(_detected, Mishaps(devices=devices, hazard_ratio=ratio))
            yield rows.share(what, rows.played(what, runs, play), 1.0)


def _rate_aborts(setting: Unpaired, rng: Rng) -> tuple[bool, bool, bool]:
    stream = streams.unpaired(setting, rng)
    return (
        judging.unpaired(stream, judging.a_design(0.0)).verdict is Verdict.FAIL,
        rivals.pooled_rates(stream, 0.0),
        rivals.threshold_rates(stream),
    )


def _judged(setting: Unpaired, limit: float, kind: Effect, rng: Rng) -> Outcome:
    return judging.unpaired(streams.unpaired(setting, rng), judging.a_design(limit), kind)


def _pasts(setting: Unpaired, limit: float, rng: Rng) -> tuple[bool, bool]:
    stream, design = streams.unpaired(setting, rng), judging.a_design(limit)
    ours = judging.unpaired(stream, design)
    without = judging.unpaired(stream, design, past=False)
    return ours.verdict is Verdict.FAIL, without.verdict is Verdict.FAIL


def _latency_aborts(setting: Latency, rng: Rng) -> tuple[bool, bool, bool, bool]:
    stream, design = durations.latency(setting, rng), _ratio_design(1.0)
    return (
        judging.latency(stream, design).verdict is Verdict.FAIL,
        judging.latency(stream, design, others=False).verdict is Verdict.FAIL,
        rivals.pooled_exceedance(stream),
        rivals.threshold_latency(stream),
    )


def _slower(setting: Latency, limit: float, rng: Rng) -> Outcome:
    return judging.latency(durations.latency(setting, rng), _ratio_design(limit))


def _incident_aborts(setting: Mishaps, rng: Rng) -> tuple[bool, bool, bool, bool]:
    stream = struck.mishaps(setting, rng)
    found = judging.mishaps(stream, 1.0)
    return (
        found.robust,
        found.plain,
        rivals.pooled_restarts(stream),
        rivals.threshold_devices(stream),
    )


def _detected(setting: Mishaps, rng: Rng) -> bool:
    return judging.mishaps(struck.mishaps(setting, rng), 1.0).robust


def _ratio_design(limit: float) -> engine.Design:
    return judging.a_design(math.log(limit), engine.LEAST_LOG_RATIO)


def _fleet(accuracy_of: float, icc: float, devices: int) -> str:
    return f"accuracy {accuracy_of}, ICC {icc}, {devices} devices"
