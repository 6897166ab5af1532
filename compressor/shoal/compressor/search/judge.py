"""Scores and latency of built candidates, measured against one source and cached by content."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from shoal.compressor import errors
from shoal.compressor.evaluate import latency, runner, session
from shoal.compressor.evaluate.metrics import readings
from shoal.compressor.evaluate.metrics.choosing import Measures
from shoal.compressor.evaluate.metrics.labels import LabelsError
from shoal.compressor.evaluate.metrics.measures import Measure
from shoal.compressor.evaluate.standard import Standard
from shoal.compressor.passes.protocol import Effort, PassError
from shoal.compressor.rejections import Rejection
from shoal.compressor.search.cache import Cache
from shoal.compressor.search.values import Scores
from shoal.compressor.sources.rows import Array, Rows
from shoal.compressor.sources.splits import Data
from shoal.contract import jsonform
from shoal.contract.digest import Digest
from shoal.contract.problem import InvalidError
from shoal.contract.reason import Reason

_REPEATED: Final = 4  # rows, an even number: pairs stay together
_UNSTEADY: Final = 1e-4  # of the largest answer; threads that sum in turns stay far below


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How candidates are judged. `causes` (source, machine, versions) go into every cache key."""

    measures: Measures
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
        self._rows: Mapping[str, Rows] = {
            "validation": data.validation,
            "agreement": data.agreement,
            "evaluation": data.evaluation,
        }
        self._prints = {name: rows.fingerprint() for name, rows in self._rows.items()}
        self._source_answers: dict[str, Array] = {}
        self._standards: dict[str, Standard] = {}
        self._score_causes = {
            "rows": self._prints,
            "metrics": [terms.measures.evaluation.causes, terms.measures.validation.causes],
            "output": terms.output,
            "seed": terms.seed,
            **terms.causes,
        }

    def scores(self, model: Digest, path: Path) -> Scores:
        """How well the model file `path`, whose digest is `model`, answers.

        Raises:
            PassError: RuntimeFailed, it fails on a row.
            InvalidError: BadData, the labels do not fit the source's own answers.
        """
        entry = self._cache.entry(
            {"scores": model, **self._score_causes}, lambda: self._score(path)
        )
        if "failed" in entry:
            raise PassError(Rejection.RUNTIME_FAILED, entry["failed"])
        return jsonform.from_json(Scores, entry)

    def ratio(self, model: Digest, path: Path, rounds: latency.Rounds) -> latency.Ratio:
        """How many times the source's latency the model takes, looked at for that long."""
        entry = self._cache.entry(
            {"ratio": model, "rounds": jsonform.to_json(rounds), **self._terms.causes},
            lambda: jsonform.to_json(self._time(path, rounds)),
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
        measures = self._terms.measures
        try:
            on_evaluation = self._standard("evaluation", measures.evaluation)
            on_validation = self._standard("validation", measures.validation)
            answers = self._answers(path)
        except session.AnswerError as error:
            return {"failed": str(error)}
        try:
            evaluation = on_evaluation.judge(answers["evaluation"])
            validation = on_validation.judge(answers["validation"])
        except InvalidError as error:  # the user's own metric cannot bear this candidate's answers
            return {"failed": error.problem.message}
        source = on_evaluation.source
        scores = Scores(
            score=evaluation.merit,
            interval=evaluation.interval,
            agreement=readings.agreement(answers["evaluation"], source),
            max_abs=readings.max_abs(answers["evaluation"], source),
            largest=float(np.abs(source.astype(np.float64)).max()),
            validation_score=validation.merit,
            validation_interval=validation.interval,
            validation_agreement=readings.likeness(
                answers["agreement"], self._answers_of_source("agreement")
            ),
        )
        result: dict[str, Any] = jsonform.to_json(scores)
        return result

    def _answers(self, path: Path) -> dict[str, Array]:
        """The model's answers to every set of rows; a set that is another one is asked once."""
        opened = runner.open_file(path, self._terms.threads)
        found: dict[str, Array] = {}
        for name, rows in self._rows.items():
            if name == "agreement" and rows is self._data.validation:
                found[name] = found["validation"]
                continue
            found[name] = session.answers(opened, rows, self._terms.output)
            source = self._answers_of_source(name)
            if found[name].shape != source.shape:
                raise session.AnswerError(
                    f"answers have shape {list(found[name].shape[1:])}, "
                    f"the source's {list(source.shape[1:])}"
                )
        return found

    def _standard(self, name: str, measure: Measure) -> Standard:
        """What the source answers and scores on one set of rows.

        Raises:
            InvalidError: BadData, the labels do not fit its answers.
        """
        if name not in self._standards:
            source, rows = self._answers_of_source(name), self._rows[name]
            try:
                made = Standard(measure, source, rows.labels, self._terms.seed)
            except LabelsError as error:
                raise errors.invalid(
                    Reason.BAD_DATA,
                    f"{name} rows: {error}",
                    field=self._option(name),
                    hint=error.hint,
                ) from None
            self._standards[name] = made
        return self._standards[name]

    def _option(self, name: str) -> str:
        """The option that the rows `name` came with."""
        if name == "evaluation":
            return "--evaluation"
        return "--calibration" if self._data.train is None else "--train"

    def _answers_of_source(self, name: str) -> Array:
        if name not in self._source_answers:
            causes = {
                "answers": self._prints[name],
                "output": self._terms.output,
                **self._terms.causes,
            }
            kept = self._cache.arrays(
                causes, lambda: {"answers": self._asked_twice(self._rows[name])}
            )
            self._source_answers[name] = kept["answers"]
        return self._source_answers[name]

    def _asked_twice(self, rows: Rows) -> Array:
        """The source's answers, of which the first are asked for again.

        Raises:
            AnswerError: they differ, so that no score of anything says what the next run gives.
        """
        opened, output = self._source_session(), self._terms.output
        answers = session.answers(opened, rows, output)
        few = rows.take(np.arange(min(_REPEATED, rows.count)))
        apart = readings.max_abs(session.answers(opened, few, output), answers[: few.count])
        if apart > _UNSTEADY * max(float(np.abs(answers.astype(np.float64)).max()), 1e-6):
            raise session.AnswerError(f"the same row is answered {apart:.2g} apart in two runs")
        return answers

    def _time(self, path: Path, rounds: latency.Rounds) -> latency.Ratio:
        candidate = runner.open_file(path, self._terms.threads)
        return latency.ratio(
            self._runner(candidate),
            self._runner(self._source_session()),
            rounds,
        )

    def _runner(self, opened: Any) -> latency.Run:
        rows = self._data.validation
        return latency.runner(opened, rows.feed(rows.typical))

    def _source_session(self) -> Any:
        if not self._opened:
            self._opened.append(runner.open_file(self._source, self._terms.threads))
        return self._opened[0]
