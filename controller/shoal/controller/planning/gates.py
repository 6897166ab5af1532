"""Gates on one cohort: which answers count, and what each gate says of them (gates.md).

Statistical gates decide by the golden set. Latency and error-rate gates are shown and decide
nothing yet: they are about live traffic, which is advisory below eight devices a side. Counts of
incidents are hard stops: they fail when exceeded and pass at the end of the soak.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from shoal.controller.domain.archive import GoldenSet
from shoal.controller.domain.evidence import (
    Ballot,
    GateVerdict,
    Verdict,
    answers_of,
    sheet_of,
)
from shoal.controller.domain.gating import GateSpec, Metric
from shoal.controller.domain.outcomes import Outcome
from shoal.controller.domain.rollout import CohortProgress
from shoal.controller.gates import golden
from shoal.controller.gates.golden import Tally
from shoal.controller.planning.view import CohortView, Member, View

VOTERS = 9  # devices of a cohort whose answers are kept: a majority of nine outvotes four liars
ALPHA_PASS = 0.05  # promotion needs all gates, so this is not split (gates.md section 5)


def collect(view: View, cohort: CohortView) -> CohortProgress:
    """The progress with the ballots of devices that switched and are in their soak, or past it."""
    progress = cohort.progress
    sheet = golden_set(view, cohort)
    ballots = {one.device: one for one in progress.ballots}
    for member in cohort.in_wave:
        ballot = _ballot(member, sheet)
        if ballot is not None and member.name not in ballots and len(ballots) < VOTERS:
            ballots[member.name] = ballot
    return replace(progress, ballots=tuple(ballots[name] for name in sorted(ballots)))


def judge(view: View, cohort: CohortView) -> tuple[GateVerdict, ...]:
    """What every gate says now. A failure is latched; a pass stays until something fails."""
    before = {one.metric: one for one in cohort.progress.verdicts}
    return tuple(
        _latch(before.get(gate.metric), _judge(view, cohort, gate)) for gate in view.strategy.gates
    )


def golden_set(view: View, cohort: CohortView) -> GoldenSet | None:
    """The golden set of the cohort's archive, None while the archive is not at hand."""
    model = view.snapshot.model_view(view.record.going.content.model_revision)
    archive = model.archive(cohort.content.profile_class) if model else None
    return archive.golden if archive else None


def majority(answers: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """One answer for each input: the most frequent, of equals the smallest.

    The same model on the same input answers the same everywhere, so devices are not samples; the
    vote only removes liars.
    """
    if len(set(map(tuple, answers))) == 1:
        return tuple(answers[0])
    rows = zip(*answers, strict=True)
    return tuple(min(Counter(row).items(), key=lambda one: (-one[1], one[0]))[0] for row in rows)


def tally(
    metric: Metric, candidate: Sequence[int], active: Sequence[int], labels: Sequence[int] | None
) -> Tally:
    """Which side was right on each distinct input; for agreement the active side always is."""
    truth = active if metric is Metric.AGREEMENT or labels is None else labels
    worse = better = right = 0
    for ours, theirs, label in zip(candidate, active, truth, strict=True):
        right += theirs == label
        worse += theirs == label and ours != label
        better += theirs != label and ours == label
    same = len(candidate) - worse - better
    return Tally(worse=worse, better=better, same=same, active_right=right)


def _ballot(member: Member, sheet: GoldenSet | None) -> Ballot | None:
    report, known = member.device.report, member.known
    if sheet is None or report is None or known is None or known.told is None:
        return None
    answers = report.golden
    if answers is None or member.outcome not in {Outcome.SOAKING, Outcome.CONFIRMED}:
        return None
    if report.running != known.told.variant:
        return None
    rows = len(sheet.source_answers)
    fits = len(answers.candidate) == rows and len(answers.active) in {0, rows}
    if answers.golden != sheet.digest or not fits:
        return None
    return Ballot(
        device=member.name,
        golden=answers.golden,
        candidate=sheet_of(answers.candidate),
        active=sheet_of(answers.active),
    )


def _judge(view: View, cohort: CohortView, gate: GateSpec) -> GateVerdict:
    if gate.tests:
        return _golden_verdict(view, cohort, gate)
    if gate.metric is Metric.RESTARTS:
        return _restarts_verdict(cohort, gate)
    return GateVerdict(
        metric=gate.metric,
        cohort=cohort.id,
        verdict=Verdict.INCONCLUSIVE,
        limit=gate.limit,
        advisory=True,
        message="advisory: live traffic decides nothing until the device engine",
    )


def _golden_verdict(view: View, cohort: CohortView, gate: GateSpec) -> GateVerdict:
    ballots, sheet = cohort.progress.ballots, golden_set(view, cohort)
    nothing = GateVerdict(
        metric=gate.metric,
        cohort=cohort.id,
        verdict=Verdict.INCONCLUSIVE,
        limit=gate.limit,
        message="no switched device has answered the golden set yet",
    )
    if sheet is None or not ballots:
        return nothing
    if gate.metric is Metric.ACCURACY and sheet.labels is None:
        return replace(nothing, message="the golden set has no labels")
    counted = _tally_of(ballots, sheet, gate.metric)
    tests = sum(one.tests for one in view.strategy.gates)
    alpha = gate.alpha / (tests * cohort.progress.alpha_share)
    verdict = Verdict.INCONCLUSIVE
    if golden.fails(counted, gate.limit, alpha):
        verdict = Verdict.FAIL
    elif golden.passes(counted, gate.limit, ALPHA_PASS):
        verdict = Verdict.PASS
    between = golden.interval(counted, alpha, ALPHA_PASS)
    return GateVerdict(
        metric=gate.metric,
        cohort=cohort.id,
        verdict=verdict,
        value=counted.drop,
        baseline=counted.active_right / counted.inputs if counted.inputs else None,
        limit=gate.limit,
        samples=counted.inputs,
        interval=between,
        message=_in_words(counted, between, gate, verdict),
    )


def _tally_of(ballots: Sequence[Ballot], sheet: GoldenSet, metric: Metric) -> Tally:
    candidate = majority([answers_of(one.candidate) for one in ballots])
    # A device without a past says nothing of the active side; where none has one, the source does.
    actives = [answers_of(one.active) for one in ballots if one.active]
    active = majority(actives) if actives else sheet.source_answers
    return tally(metric, candidate, active, sheet.labels)


def _in_words(
    counted: Tally, between: tuple[float, float], gate: GateSpec, verdict: Verdict
) -> str:
    """The caption of gates.md section 10, in percentage points."""
    low, high = (100 * one for one in between)
    text = f"drop is between {low:+.1f} and {high:+.1f} points (limit {100 * gate.limit:g})"
    if counted.inputs < golden.MIN_INPUTS:
        return f"{text}: {counted.inputs} of at least {golden.MIN_INPUTS} distinct inputs"
    if verdict is Verdict.INCONCLUSIVE:
        return f"{text}: {counted.inputs} inputs cannot tell, enlarge the golden set"
    return text


def _restarts_verdict(cohort: CohortView, gate: GateSpec) -> GateVerdict:
    """Restarts of the variant on the updated devices; a crash loop of one device adds up."""
    running = [one for one in cohort.in_wave if _runs_told(one)]
    restarts = sum(one.device.report.restarts for one in running if one.device.report)
    verdict = Verdict.INCONCLUSIVE
    if restarts > gate.limit:
        verdict = Verdict.FAIL
    elif cohort.progress.finished_at is not None and running:
        verdict = Verdict.PASS
    return GateVerdict(
        metric=gate.metric,
        cohort=cohort.id,
        verdict=verdict,
        value=float(restarts),
        limit=gate.limit,
        samples=len(running),
        message=f"{restarts} restarts on {len(running)} devices (limit {gate.limit:g})",
    )


def _runs_told(member: Member) -> bool:
    report, known = member.device.report, member.known
    return (
        member.told
        and report is not None
        and known is not None
        and report.generation == known.generation
        and report.running_generation == known.generation
    )


def _latch(before: GateVerdict | None, now: GateVerdict) -> GateVerdict:
    if before is None:
        return now
    if before.verdict is Verdict.FAIL:
        return before
    if before.verdict is Verdict.PASS and now.verdict is Verdict.INCONCLUSIVE:
        return before
    return now
