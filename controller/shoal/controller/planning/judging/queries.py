"""Gates on a Prometheus query: one number against its limit, looked at again and again.

It is no test: nobody knows what the query counts. So that one bad scrape fails no rollout, as many
answers in a row as `minSamples` says must be beyond the limit, and as many within it to pass at the
end of the soak. No answer is never a pass.
"""

from collections.abc import Sequence

from shoal.controller.domain.evidence import GateVerdict, Source, Verdict
from shoal.controller.domain.evidence import Scope as Whose
from shoal.controller.domain.gating import Bound, GateSpec
from shoal.controller.domain.live import Answer
from shoal.controller.planning.judging.sides import Scene

MOST_ANSWERS = 60  # that are kept of one query, and that a gate may ask for


def text_of(gate: GateSpec, deployment: str, revision: int) -> str:
    """The query with its placeholders filled in."""
    namespace, _, name = deployment.partition("/")
    text = gate.query.replace("$namespace", namespace).replace("$deployment", name)
    return text.replace("$revision", str(revision))


def judge(scene: Scene, gate: GateSpec) -> GateVerdict:
    """What the last answers say."""
    record = scene.view.record
    query = text_of(gate, record.deployment, record.going.number)
    started = scene.view.record.going.started_at
    answers = [one for one in scene.view.snapshot.live.answers(query) if one.at >= started]
    needed = min(gate.min_samples, MOST_ANSWERS)
    beyond = _run(answers, gate, beyond=True)
    within = _run(answers, gate, beyond=False)
    finished = scene.cohort.progress.finished_at is not None and bool(scene.updated)
    verdict = Verdict.INCONCLUSIVE
    if beyond >= needed:
        verdict = Verdict.FAIL
    elif finished and within >= needed:
        verdict = Verdict.PASS
    value = answers[-1].value if answers else None
    return GateVerdict(
        metric=gate.metric,
        cohort=scene.cohort.id,
        verdict=verdict,
        value=value,
        limit=gate.limit,
        samples=sum(one.value is not None for one in answers),
        message=_in_words(value, gate, (beyond, within, needed)),
        gate=gate.key,
        name=gate.name,
        source=Source.QUERY,
        bound=gate.kind,
        scope=Whose(enrolled=len(scene.enrolled), devices=len(scene.updated)),
    )


def _run(answers: Sequence[Answer], gate: GateSpec, *, beyond: bool) -> int:
    """How many of the last answers in a row are beyond the limit, or within it."""
    count = 0
    for one in reversed(answers):
        if one.value is None or _beyond(one.value, gate) is not beyond:
            break
        count += 1
    return count


def _beyond(value: float, gate: GateSpec) -> bool:
    return value < gate.limit if gate.kind is Bound.MIN else value > gate.limit


def _in_words(value: float | None, gate: GateSpec, runs: tuple[int, int, int]) -> str:
    beyond, within, needed = runs
    name = gate.name or "the query"
    limit = f"({'at least' if gate.kind is Bound.MIN else 'limit'} {gate.limit:g})"
    if value is None:
        return f"NO DATA: {name} has no answer {limit}"
    which, count = ("beyond", beyond) if beyond else ("within", within)
    return f"{name} is {value:.4g} {limit}: {which} it {count} times in a row, {needed} needed"
