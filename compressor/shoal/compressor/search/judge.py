"""Scores and latency of built candidates, measured against one source and cached by content."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from shoal.compressor.evaluate import interval, latency, metrics, runner, session
from shoal.compressor.evaluate.metrics import Metric
from shoal.compressor.passes.protocol import Effort, PassError
from shoal.compressor.rejections import Rejection
from shoal.compressor.search.cache import Cache
from shoal.compressor.search.values import Scores
from shoal.compressor.sources.rows import Array, Rows
from shoal.compressor.sources.splits import Data
from shoal.contract import jsonform
from shoal.contract.digest import Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How candidates are judged. `causes` (source, machine, versions) go into every cache key."""

    metric: Metric
    validation_metric: Metric
    output: str
    threads: int
    effort: Effort
    seed: int
    causes: dict[str, Any]


class Judge:
    """Measures models against the source file `source` on this machine."""

    def __init__(self, cache: Cache, source: Path, data: Data, terms: Terms) -> None:
        self._cache = cache
        self._source = source
        self._data = data
        self._terms = terms
        self._opened: list[Any] = []
        self._source_answers: dict[int, Array] = {}
        rows = {
            "validation": data.validation.fingerprint(),
            "agreement": data.agreement.fingerprint(),
            "evaluation": data.evaluation.fingerprint(),
        }
        self._score_causes = {
            "rows": rows,
            "metrics": [terms.metric.value, terms.validation_metric.value],
            "output": terms.output,
            "seed": terms.seed,
            **terms.causes,
        }

    def scores(self, model: Digest, path: Path) -> Scores:
        """How well the model file `path`, whose digest is `model`, answers.

        Raises:
            PassError: RuntimeFailed, it fails on a row.
        """
        entry = self._cache.entry(
            {"scores": model, **self._score_causes}, lambda: self._score(path)
        )
        if "failed" in entry:
            raise PassError(Rejection.RUNTIME_FAILED, entry["failed"])
        return jsonform.from_json(Scores, entry)

    def ratio(self, model: Digest, path: Path) -> latency.Ratio:
        """How many times the source's latency the model takes."""
        entry = self._cache.entry(
            {"ratio": model, "effort": self._terms.effort.value, **self._terms.causes},
            lambda: jsonform.to_json(self._time(path)),
        )
        return jsonform.from_json(latency.Ratio, entry)

    def source_latency(self) -> latency.Latency:
        """The source's own latency, measured once."""
        rounds = latency.ROUNDS[self._terms.effort]
        entry = self._cache.entry(
            {"latency": "source", "effort": self._terms.effort.value, **self._terms.causes},
            lambda: jsonform.to_json(latency.single(self._runner(self._source_session()), rounds)),
        )
        return jsonform.from_json(latency.Latency, entry)

    def _score(self, path: Path) -> dict[str, Any]:
        data, terms = self._data, self._terms
        try:
            opened = runner.open_file(path, terms.threads)
            on_evaluation = session.answers(opened, data.evaluation, terms.output)
            on_validation = session.answers(opened, data.validation, terms.output)
            on_agreement = session.answers(opened, data.agreement, terms.output)
            source = self._answers_of_source(data.evaluation)
            if on_evaluation.shape != source.shape:
                raise session.AnswerError(
                    f"answers have shape {on_evaluation.shape[1:]}, the source's {source.shape[1:]}"
                )
            score, low, high = self._paired(terms.metric, on_evaluation, data.evaluation)
            validation = self._paired(terms.validation_metric, on_validation, data.validation)
        except (session.AnswerError, metrics.LabelsError) as error:
            return {"failed": str(error)}
        scores = Scores(
            score=score,
            interval=(low, high),
            agreement=self._agreement(on_evaluation, data.evaluation),
            max_abs=metrics.max_abs(on_evaluation, source),
            largest=float(np.abs(source).max()),
            validation_score=validation[0],
            validation_interval=validation[1:],
            validation_agreement=metrics.likeness(
                on_agreement, self._answers_of_source(data.agreement)
            ),
        )
        result: dict[str, Any] = jsonform.to_json(scores)
        return result

    def _paired(self, metric: Metric, answers: Array, rows: Rows) -> tuple[float, float, float]:
        """The score, and the interval of the difference to the source's moved to the score."""
        source = self._answers_of_source(rows)
        ours = metrics.row_scores(metric, answers, source, rows.labels)
        theirs = metrics.row_scores(metric, source, source, rows.labels)
        level, lowest = float(theirs.mean()), -1.0 if metric is Metric.COSINE else 0.0
        score = float(ours.mean())
        if np.array_equal(answers, source):
            return score, score, score
        low, high = interval.paired_difference(ours, theirs, self._terms.seed)
        return score, max(min(level + low, score), lowest), min(max(level + high, score), 1.0)

    def _agreement(self, answers: Array, rows: Rows) -> float:
        source = self._answers_of_source(rows)
        return float(metrics.row_scores(Metric.AGREEMENT, answers, source, None).mean())

    def _answers_of_source(self, rows: Rows) -> Array:
        key = id(rows)
        if key not in self._source_answers:
            self._source_answers[key] = session.answers(
                self._source_session(), rows, self._terms.output
            )
        return self._source_answers[key]

    def _time(self, path: Path) -> latency.Ratio:
        candidate = runner.open_file(path, self._terms.threads)
        return latency.ratio(
            self._runner(candidate),
            self._runner(self._source_session()),
            latency.ROUNDS[self._terms.effort],
        )

    def _runner(self, opened: Any) -> latency.Run:
        return latency.runner(opened, self._data.validation.feed(0))

    def _source_session(self) -> Any:
        if not self._opened:
            self._opened.append(
                session.open_session(self._source.read_bytes(), self._terms.threads)
            )
        return self._opened[0]
