"""One whole search: from the source's figures to an archive that answers any budget."""

from collections.abc import Sequence
from dataclasses import replace

from shoal.compressor import errors
from shoal.compressor.artifacts import Format
from shoal.compressor.evaluate import environment, standard
from shoal.compressor.evaluate.metrics.choosing import Measures
from shoal.compressor.evaluate.metrics.measures import Measure
from shoal.compressor.job import Job, Method
from shoal.compressor.progress import Progress
from shoal.compressor.search import front
from shoal.compressor.search.attempts import Attempts, Draft
from shoal.compressor.search.bench import Bench
from shoal.compressor.search.floor import Floor
from shoal.compressor.search.forecasts import Forecasts
from shoal.compressor.search.run import Allowed, Search
from shoal.compressor.search.settling import Settling
from shoal.compressor.search.values import Archive, Candidate, SourceFigures
from shoal.compressor.target import Target
from shoal.contract import choice, units
from shoal.contract.digest import Digest
from shoal.contract.reason import Reason


def run(
    job: Job, bench: Bench, measures: Measures, allowed: Allowed, progress: Progress
) -> tuple[Archive, Floor]:
    """The archive of a whole search, or of what Ctrl-C left of it.

    Raises:
        InvalidError: the source cannot be measured on these rows, or misses the floor itself.
    """
    try:
        progress.tell("measuring the source")
        source = bench.source_figures()
        floor = _floor(job, source, measures.evaluation)
        attempts = Attempts(bench, source, floor, progress)
        attempts.engines = job.engines
        if job.target is not None:
            source = _elsewhere(job.target, attempts)
        settling = Settling(attempts, lambda found: order(found, job, floor))
        attempts.heard = lambda: progress.best(_best(settling.candidates(), job, floor))
        search = Search(attempts, allowed, job.seed)
        interrupted = False
        try:
            search.run()
            progress.tell("measuring what may be chosen")
            candidates = settling.settled()
            if _needs_stages(job, candidates):
                search.split(job.budget.memory_bytes or 0, _wholes(attempts.drafts))
                candidates = settling.settled()
        except KeyboardInterrupt:
            progress.tell("interrupted: writing what is known")
            interrupted = True
            candidates = settling.weighed()
        archive = Archive(
            source=source,
            candidates=candidates,
            beaten=tuple(attempts.beaten),
            rejected=tuple(attempts.rejected),
            layers=search.layers,
            interrupted=interrupted,
        )
        return archive, floor
    finally:
        bench.memories.stop()


def order(candidates: Sequence[Candidate], job: Job, floor: Floor) -> tuple[Digest, ...]:
    """The rule of choice: digests that meet floor and budget, best first."""
    points = [front.point(candidate, floor) for candidate in candidates]
    ranked = choice.ranked(points, job.budget, floor.min_score, job.objective)
    return tuple(point.digest for point in ranked)


def _best(candidates: Sequence[Candidate], job: Job, floor: Floor) -> str:
    """The best so far, in a few words; an empty line where nothing fits yet."""
    ranked = order(candidates, job, floor)
    best = next((one for one in candidates if ranked and one.digest == ranked[0]), None)
    if best is None:
        return ""
    return (
        f"{best.recipe.title}: {units.format_size(best.bytes)}, score "
        f"{floor.shown(best.scores.score):.4f}, latency x{best.costs.latency_ratio:.2f}"
    )


def _floor(job: Job, source: SourceFigures, measure: Measure) -> Floor:
    """The floor that the job asks for, as a merit.

    Raises:
        InvalidError: the source itself does not reach it.
    """
    rule, turned = job.floor, measure.smaller_is_better
    if rule.min_score is None:
        least = source.score - (rule.max_drop or 0.0)
        return Floor(min_score=least, proven=rule.proven, smaller_is_better=turned)
    least = standard.shown(rule.min_score, smaller_is_better=turned)
    if least > source.score + choice.ROUNDING:
        own = round(standard.shown(source.score, smaller_is_better=turned), 6)
        side = "below" if turned else "above"
        raise errors.invalid(
            Reason.INVALID,
            f"--min-score {rule.min_score:g} is {side} the source's own {own:g}",
            field="--min-score",
            hint=f"the source's {measure.name} on the evaluation rows is {own:g}: "
            f"ask for {'no less' if turned else 'no more'} than that",
        )
    return Floor(min_score=least, proven=rule.proven, smaller_is_better=turned)


def _elsewhere(target: Target, attempts: Attempts) -> SourceFigures:
    """The source's figures with its latency foretold for `target`, as all others' will be."""
    machine = environment.this_machine()
    here = Target(arch=machine.arch, isa=machine.isa)
    attempts.forecasts = Forecasts(attempts.bench, here, target)
    foretold = attempts.forecasts.source()
    attempts.source = replace(attempts.source, p50_ms=foretold.p50_ms, p95_ms=foretold.p95_ms)
    return attempts.source


def _needs_stages(job: Job, candidates: Sequence[Candidate]) -> bool:
    """Whether nothing whole fits the memory budget, and cutting is allowed."""
    limit = job.budget.memory_bytes
    if limit is None or Method.SPLIT not in job.methods:
        return False
    return all(one.costs.peak_memory_bytes > limit for one in candidates)


def _wholes(drafts: Sequence[Draft]) -> tuple[Draft, ...]:
    """What is worth cutting: the net of least memory, the fastest, and the source itself."""
    graphs = [one for one in drafts if one.built.format is Format.ONNX and one.profile is not None]
    if not graphs:
        return ()
    least = min(graphs, key=_planned_bytes)
    fastest = min(graphs, key=lambda one: one.ratio.p50)
    chosen = [least, fastest, *(one for one in graphs if one.is_source)]
    return tuple({one.built.digest: one for one in chosen}.values())


def _planned_bytes(draft: Draft) -> int:
    return 0 if draft.profile is None else draft.profile.memory_bytes
