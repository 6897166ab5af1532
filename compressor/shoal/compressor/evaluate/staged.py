"""Staged variants as this program opens them: with the options of every other session."""

from functools import partial
from pathlib import Path

from shoal.compressor.evaluate import session
from shoal.engines.staged import Settings, StagedRunner


def open_stages(path: Path, threads: int) -> StagedRunner:
    """A runner over the staged file at `path`.

    Raises:
        StagesError: the file is damaged, or was never one.
        LayoutError: a stage is no model.
    """
    options = partial(session.options, threads)
    return StagedRunner(path, Settings(options=options, providers=tuple(session.PROVIDERS)))
