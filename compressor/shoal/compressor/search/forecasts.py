"""Latency on another machine than this one, foretold and marked as such.

Probes of this machine are fitted, a timing of the source here moves the fit, and throughputs of the
other machine's instructions carry it over. A file whose operators nobody can count is timed here.
"""

from dataclasses import dataclass

from shoal.compressor.analyse import latency_model, operations, throughput, timing
from shoal.compressor.analyse.latency_model import Model, Prediction
from shoal.compressor.analyse.operations import Work
from shoal.compressor.artifacts import Format
from shoal.compressor.evaluate.latency import Latency, Ratio
from shoal.compressor.search.bench import Bench
from shoal.compressor.search.builder import Built
from shoal.compressor.search.values import Forecast
from shoal.compressor.target import Target
from shoal.contract import jsonform
from shoal.contract.digest import Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Foretold:
    """A candidate's ratio to the source on the other machine, and how sure it is."""

    ratio: Ratio
    forecast: Forecast


class Forecasts:
    """What models would take on `there`, the machine that variants are for; this one is `here`."""

    def __init__(self, bench: Bench, here: Target, there: Target) -> None:
        self._bench = bench
        self._here = here
        self._there = there
        self._causes = {
            "here": jsonform.to_json(here),
            "there": jsonform.to_json(there),
            **bench.builder.runtime_causes,
        }

    def source(self) -> Latency:
        """The source's own latency over there."""
        found = self._forecast(self._bench.source.digest, Format.ONNX)
        return Latency(p50_ms=found.ms, p95_ms=found.ms)

    def of(self, built: Built) -> Foretold | None:
        """What `built` would take; None for a file that is no ONNX graph."""
        if built.format is not Format.ONNX:
            return None
        found, source = self._forecast(built.digest, built.format), self.source()
        ratio = found.ms / source.p50_ms
        return Foretold(ratio=Ratio(p50=ratio, p95=ratio), forecast=found)

    def _forecast(self, digest: Digest, kind: Format) -> Forecast:
        entry = self._bench.cache.entry(
            {"forecast": digest, "terms": list(latency_model.TERMS), **self._causes},
            lambda: jsonform.to_json(_forecast(self._model().predict(self._work(digest, kind)))),
        )
        return jsonform.from_json(Forecast, entry)

    def _model(self) -> Model:
        bench = self._bench
        causes = {"machine": self._causes, "terms": list(latency_model.TERMS)}
        entry = bench.cache.entry(
            causes, lambda: jsonform.to_json(timing.this_machine(bench.threads))
        )
        fitted = latency_model.to_model(entry)
        source = self._work(bench.source.digest, Format.ONNX)
        moved = fitted.moved(source, bench.judge.source_latency().p50_ms)
        return throughput.elsewhere(moved, self._here, self._there)

    def _work(self, digest: Digest, kind: Format) -> Work:
        bench = self._bench
        is_source = digest == bench.source.digest
        path = bench.source.path if is_source else bench.cache.model_path(digest, kind)
        return operations.read(path.read_bytes(), bench.feed)


def _forecast(found: Prediction) -> Forecast:
    return Forecast(
        ms=found.ms, low_ms=found.low_ms, high_ms=found.high_ms, basis=found.basis.value
    )
