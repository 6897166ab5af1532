"""The composition root of shoal-compress: a job in, a report and its files out."""

import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache as once
from pathlib import Path
from typing import Any

import onnx

from shoal.compressor import reading
from shoal.compressor.evaluate import environment, memory
from shoal.compressor.evaluate.environment import Machine
from shoal.compressor.evaluate.metrics import choosing
from shoal.compressor.evaluate.metrics.choosing import Measures
from shoal.compressor.export import golden, report, writer
from shoal.compressor.job import Job, Method
from shoal.compressor.passes.protocol import Effort, PassContext, TrainRows
from shoal.compressor.passes.tflite_integer import Chip
from shoal.compressor.progress import Progress
from shoal.compressor.search import builder, campaign, front, quantizing
from shoal.compressor.search.bench import Bench
from shoal.compressor.search.builder import Builder
from shoal.compressor.search.cache import Cache
from shoal.compressor.search.engines import Offer
from shoal.compressor.search.judge import Judge, Terms
from shoal.compressor.search.memories import Memories
from shoal.compressor.search.plan import Situation
from shoal.compressor.search.run import Allowed
from shoal.compressor.search.values import Archive
from shoal.compressor.sources import formats, model, signature
from shoal.compressor.sources.model import Desk, Source
from shoal.compressor.sources.origin import OriginFormat
from shoal.compressor.sources.signature import Tensor
from shoal.compressor.sources.splits import Data
from shoal.compressor.target import Target
from shoal.contract.profile import DEFAULT_PRECISIONS


def run(job: Job, progress: Progress) -> dict[str, Any]:
    """Does `job`: searches, writes `job.out`, returns the report.

    The report's `chosen` is None, and it has an `error`, where nothing fits; `interrupted` is true
    where Ctrl-C ended the search early.

    Raises:
        ProblemError: the input is wrong.
        KeyboardInterrupt: interrupted before the source itself was measured.
    """
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="shoal-compress-") as folder:
        scratch = Path(folder)
        origin = formats.admit(job.model, formats.Trust(types=job.trusted, pickle=job.trust_pickle))
        progress.tell(f"checking {origin.name}")
        source = model.read(
            origin, Desk(scratch=scratch, rows=job.calibration, kept=job.cache / "sources")
        )
        output = signature.answering(source.signature, job.model_output)
        data = reading.read(job, source, Cache(job.cache))
        measures = choosing.choose(job.metric, data, output)
        writer.prepare(job.out)
        machine = environment.this_machine()
        foreign = replace(job, target=_foreign(job.target, machine))
        bench = _bench(foreign, source, data, scratch, (output, measures, machine))
        archive, floor = campaign.run(foreign, bench, measures, _allowed(job, bench), progress)
        setting = report.Setting(
            job=job,
            floor=floor,
            metric=measures.evaluation.name,
            validation=_validation(data, measures),
            output=output.name,
            machine=machine,
            profile=environment.class_profile(
                _aimed(foreign, machine), job.runtime.threads, job.runtime.precisions
            ),
            warnings=data.warnings,
            seconds=time.monotonic() - started,
            origin=source.provenance,
        )
        return _export(archive, setting, bench, _golden(job, data))


def _golden(job: Job, data: Data) -> golden.Golden | None:
    if job.golden is None:
        return None
    return golden.choose(data.evaluation, job.golden, job.seed, job.out / "golden.npz")


def _validation(data: Data, measures: Measures) -> dict[str, Any]:
    """What candidates are scored on where a choice is made."""
    return {
        "rows": data.validation.count,
        "metric": measures.validation.name,
        "against": measures.validation.against.value,
        "from": "calibration" if data.train is None else "train",
    }


def _bench(
    job: Job,
    source: Source,
    data: Data,
    scratch: Path,
    terms: tuple[Tensor, Measures, Machine],
) -> Bench:
    output, measures, machine = terms
    cache = Cache(job.cache)
    effort = Effort(job.effort)
    build = {
        "source": source.digest,
        "calibration": data.calibration.fingerprint(),
        "train": None if data.train is None else data.train.fingerprint(),
        "seed": job.seed,
        "effort": effort.value,
        "output": output.name,
    }
    causes = builder.causes(machine, build, job.runtime.threads)
    measured = {**causes["runtime"], "cpu": machine.cpu, "source": source.digest}
    feed_path, feed = scratch / "feed.npz", data.validation.feed(data.validation.typical)
    memory.store_feed(feed, feed_path)
    return Bench(
        source=source,
        cache=cache,
        builder=Builder(cache, causes, _context(job, source, data, output)),
        judge=Judge(
            cache,
            source.path,
            data,
            Terms(
                measures=measures,
                output=output.name,
                threads=job.runtime.threads,
                effort=effort,
                seed=job.seed,
                causes=measured,
            ),
        ),
        memories=Memories(cache, feed_path, job.runtime.threads, measured),
        situation=Situation(
            machine=_aimed(job, machine), effort=effort, classifies=signature.classifies(output)
        ),
        feed=feed,
        threads=job.runtime.threads,
    )


def _foreign(target: Target | None, machine: Machine) -> Target | None:
    """The machine to foretell for; None for this one, and for a chip whose files run here too."""
    if target is None or target.arch == Chip.EDGE_TPU.value:
        return None
    return None if (target.arch, target.isa) == (machine.arch, machine.isa) else target


def _aimed(job: Job, machine: Machine) -> Machine:
    """The machine that variants are for: this one, or one with another's instructions."""
    target = job.target
    return machine if target is None else replace(machine, arch=target.arch, isa=target.isa)


def _context(job: Job, source: Source, data: Data, output: Tensor) -> Callable[[], PassContext]:
    @once
    def make() -> PassContext:
        train = None
        if data.train is not None and data.train.labels is not None:
            train = TrainRows(inputs=data.train.inputs, y=data.train.labels)
        return PassContext(
            calibration=data.calibration.inputs,
            constants=data.calibration.constants,
            train=train,
            source=onnx.load(source.path),
            output=output.name,
            seed=job.seed,
            threads=job.runtime.threads,
            effort=Effort(job.effort),
            origin=source.origin,
        )

    return make


def _allowed(job: Job, bench: Bench) -> Allowed:
    precisions, origin = job.runtime.precisions, bench.source.origin
    return Allowed(
        quantize=Method.QUANTIZE in job.methods,
        prune=Method.PRUNE in job.methods,
        distill=Method.DISTILL in job.methods,
        float32="fp32" in precisions,
        precisions=_precisions(precisions),
        offer=Offer(
            engines=job.engines,
            precisions=precisions,
            origin=OriginFormat.ONNX if origin is None else origin.format,
            chip=_chip(job),
        ),
    )


def _precisions(named: tuple[str, ...]) -> tuple[str, ...]:
    """What a profile names; where it leaves the default, whatever computes in those."""
    return quantizing.ANY_PRECISION if named == DEFAULT_PRECISIONS else named


def _chip(job: Job) -> Chip | None:
    """The chip that files of integers are for: LiteRT alone, and nothing but int8."""
    if job.target is not None and job.target.arch == Chip.EDGE_TPU.value:
        return Chip.EDGE_TPU
    integers = job.engines == ("litert",) and job.runtime.precisions == ("int8",)
    return Chip.MICRO if integers else None


def _export(
    archive: Archive, setting: report.Setting, bench: Bench, chosen_set: golden.Golden | None
) -> dict[str, Any]:
    order = campaign.order(archive.candidates, setting.job, setting.floor)
    kept = front.front(archive.candidates)
    best = next((c for c in archive.candidates if order and c.digest == order[0]), None)
    if best is not None and best not in kept:
        kept = (*kept, best)
    on_front = {candidate.digest for candidate in kept}
    digests = [digest for digest in order if digest in on_front]
    composed = report.compose(archive, kept, digests, setting)
    writer.write(composed, bench.cache, setting.job.out, chosen_set, bench.source.path)
    return composed
