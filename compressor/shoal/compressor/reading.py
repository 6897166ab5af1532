"""From the data files of a job to the rows of a run: read, states recorded, split."""

from pathlib import Path
from typing import Any

from shoal.compressor import errors
from shoal.compressor.evaluate import session
from shoal.compressor.job import Job
from shoal.compressor.search.cache import Cache
from shoal.compressor.sources import archive, splits, states
from shoal.compressor.sources.model import Source
from shoal.compressor.sources.rows import Rows
from shoal.compressor.sources.splits import Data
from shoal.contract.reason import Reason


def read(job: Job, source: Source, cache: Cache) -> Data:
    """The rows of `job`.

    Of a recurrent model every row also holds the source's states before it, so that passes see
    ordinary inputs (teacher forcing: Williams and Zipser 1989, Neural Computation 1:270-280).

    Raises:
        InvalidError: BadData, an array that does not fit the model, or a row in two sets.
        NotFoundError: no such file.
    """
    fed_back = states.resolve(source.signature, job.states)

    def rows(path: Path, option: str) -> Rows:
        found = archive.read(path, source.signature, option, fed_back)
        return _recorded(found, source, cache, option) if fed_back else found

    return splits.divide(
        rows(job.calibration, "--calibration"),
        None if job.train is None else rows(job.train, "--train"),
        rows(job.evaluation, "--evaluation"),
        job.seed,
    )


def _recorded(rows: Rows, source: Source, cache: Cache, option: str) -> Rows:
    causes: dict[str, Any] = {
        "states": source.digest,
        "rows": rows.fingerprint(),
        "onnxruntime": session.version(),
    }
    try:
        found = cache.arrays(
            causes, lambda: session.recorded_states(session.open_session(str(source.path), 1), rows)
        )
    except session.AnswerError as error:
        raise errors.invalid(
            Reason.BAD_DATA,
            f"the source cannot be run step by step: {error}",
            field=option,
            hint="check that the rows are consecutive steps of what this model takes",
        ) from error
    return rows.with_states(found)
