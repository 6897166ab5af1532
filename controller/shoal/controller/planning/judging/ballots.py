"""The golden set: which answers count, and what they say of accuracy and agreement.

The unit is the distinct input: one answer of the majority for each, whatever the number of devices
(gates.md section 3). It decides for fleets of any size, in first rollouts too.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from shoal.controller.domain.archive import GoldenSet
from shoal.controller.domain.evidence import (
    Ballot,
    GateVerdict,
    Source,
    Verdict,
    answers_of,
    sheet_of,
)
from shoal.controller.domain.evidence import Scope as Whose
from shoal.controller.domain.gating import Bound, GateSpec, Metric
from shoal.controller.domain.outcomes import Outcome
from shoal.controller.domain.rollout import CohortProgress
from shoal.controller.gates import golden
from shoal.controller.gates.engine import ALPHA_PASS
from shoal.controller.gates.golden import Tally
from shoal.controller.planning.judging.sides import Scene
from shoal.controller.planning.view import CohortView, Member, View

VOTERS = 9  # devices of a cohort whose answers are kept: a majority of nine outvotes four liars
ODD_SHARE = 0.02  # of the inputs: a device that differs from the majority on more is broken
_ENOUGH_FOR_A_MAJORITY = 3


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


def golden_set(view: View, cohort: CohortView) -> GoldenSet | None:
    """The golden set of the cohort's archive, None while the archive is not at hand."""
    model = view.snapshot.model_view(view.record.going.content.model_revision)
    archive = model.archive(cohort.content.profile_class) if model else None
    return archive.golden if archive else None


def usable(scene: Scene, gate: GateSpec) -> bool:
    """Whether there is a golden set that can say something of this gate."""
    sheet = golden_set(scene.view, scene.cohort)
    return sheet is not None and (gate.metric is Metric.AGREEMENT or sheet.labels is not None)


def judge(scene: Scene, gate: GateSpec, alpha: float) -> GateVerdict:
    """What the golden set says of the gate now."""
    ballots = scene.cohort.progress.ballots
    sheet = golden_set(scene.view, scene.cohort)
    nothing = GateVerdict(
        metric=gate.metric,
        cohort=scene.cohort.id,
        verdict=Verdict.INCONCLUSIVE,
        limit=gate.limit,
        message="no switched device has answered the golden set yet",
        gate=gate.key,
        source=Source.GOLDEN,
        bound=gate.kind,
        alpha=alpha,
        scope=Whose(enrolled=len(scene.enrolled), devices=len(ballots)),
    )
    if sheet is None:
        return replace(nothing, message="there is no golden set for this cohort")
    if not ballots:
        return nothing
    if gate.metric is Metric.ACCURACY and sheet.labels is None:
        return replace(nothing, message="the golden set has no labels")
    return _counted(nothing, _tally_of(ballots, sheet, gate), gate, alpha)


def majority(answers: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """One answer for each input: the most frequent, of equals the smallest.

    The same model on the same input answers the same everywhere, so devices are not samples; the
    vote only removes liars.
    """
    if len(set(map(tuple, answers))) == 1:
        return tuple(answers[0])
    rows = zip(*answers, strict=True)
    return tuple(min(Counter(row).items(), key=lambda one: (-one[1], one[0]))[0] for row in rows)


def odd(ballots: Sequence[Ballot]) -> tuple[str, ...]:
    """Devices that answer unlike the others on more than 2 % of the inputs.

    Something is wrong with such a device: a broken kernel, corrupt weights. Two devices that
    disagree do not show which of them it is.
    """
    if len(ballots) < _ENOUGH_FOR_A_MAJORITY:
        return ()
    if len({one.candidate for one in ballots}) == 1:
        return ()
    sheets = {one.device: answers_of(one.candidate) for one in ballots}
    common = majority(list(sheets.values()))
    return tuple(
        device
        for device, sheet in sheets.items()
        if sum(a != b for a, b in zip(sheet, common, strict=True)) > ODD_SHARE * len(common)
    )


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


def _counted(nothing: GateVerdict, counted: Tally, gate: GateSpec, alpha: float) -> GateVerdict:
    least = gate.kind is Bound.MIN
    margin = 1 - gate.limit if least else gate.limit
    verdict = Verdict.INCONCLUSIVE
    if golden.fails(counted, margin, alpha):
        verdict = Verdict.FAIL
    elif golden.passes(counted, margin, ALPHA_PASS):
        verdict = Verdict.PASS
    low, high = golden.interval(counted, alpha, ALPHA_PASS)
    between = (1 - high, 1 - low) if least else (low, high)
    return replace(
        nothing,
        verdict=verdict,
        value=1 - counted.drop if least else counted.drop,
        baseline=counted.active_right / counted.inputs if counted.inputs else None,
        samples=counted.inputs,
        interval=between,
        message=_in_words(counted, between, gate, verdict),
    )


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
        active=sheet_of(() if known.doubted else answers.active),
    )


def _tally_of(ballots: Sequence[Ballot], sheet: GoldenSet, gate: GateSpec) -> Tally:
    candidate = majority([answers_of(one.candidate) for one in ballots])
    # A device without a past that was proven says nothing of the active side; where none has one,
    # the source does.
    actives = [answers_of(one.active) for one in ballots if one.active]
    active = majority(actives) if actives else sheet.source_answers
    counted = tally(gate.metric, candidate, active, sheet.labels)
    if gate.kind is not Bound.MIN:
        return counted
    truth = active if gate.metric is Metric.AGREEMENT or sheet.labels is None else sheet.labels
    wrong = sum(ours != label for ours, label in zip(candidate, truth, strict=True))
    return replace(counted, worse=wrong, better=0, same=counted.inputs - wrong)


def _in_words(
    counted: Tally, between: tuple[float, float], gate: GateSpec, verdict: Verdict
) -> str:
    """The caption of gates.md section 10: in percentage points, or as a share for `min`."""
    low, high = (100 * one for one in between)
    if gate.kind is Bound.MIN:
        text = f"{gate.metric} is between {low:.1f} % and {high:.1f} % (at least "
        text += f"{100 * gate.limit:g} %)"
    else:
        text = f"drop is between {low:+.1f} and {high:+.1f} points (limit {100 * gate.limit:g})"
    if counted.inputs < golden.MIN_INPUTS:
        return f"{text}: {counted.inputs} of at least {golden.MIN_INPUTS} distinct inputs"
    if verdict is Verdict.INCONCLUSIVE:
        return f"{text}: {counted.inputs} inputs cannot tell, enlarge the golden set"
    return text
