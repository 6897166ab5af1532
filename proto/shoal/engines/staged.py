"""Runs a `.stages` file: each stage is loaded, run and released before the next one.

The weights stay in the file. A stage's graph is handed to onnxruntime with references to them, and
the runtime maps what it reads, so a stage takes its weights once and not twice; after it the memory
goes back to the system. Tensors between stages stay in memory until their last use.
"""

import contextlib
import ctypes
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnxruntime

from shoal.engines import archive, references

Array = npt.NDArray[Any]
Observe = Callable[[], None]

_FOLDER: Final = "session.model_external_initializers_file_folder_path"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How each stage's session is opened; `options` makes fresh session options."""

    options: Callable[[], Any]
    providers: tuple[str, ...]


class StagedRunner:
    """A staged variant as one model; `observe_stage` is called after each stage has run."""

    def __init__(self, path: Path, settings: Settings) -> None:
        """Read the index and the graphs of the file at `path`; no stage is loaded yet.

        Raises:
            StagesError: the file is damaged, or was never one.
            LayoutError: a stage is no model.
        """
        path = path.resolve()
        found = archive.opened(path)
        self.index = found.index
        self._folder = path.parent
        self._settings = settings
        with path.open("rb") as file:
            self._graphs = [references.referring(file, span, path.name) for span in found.spans]
        self._last = _last_uses(self.index)
        self.observe_stage: Observe = _ignore
        self._kept = self._open(0) if len(self.index.stages) == 1 else None

    def run(self, outputs: Sequence[str] | None, feed: Mapping[str, Array]) -> list[np.ndarray]:
        """The named outputs, all where None, as a session over the whole graph gives them."""
        return self.run_rows(outputs, [feed])[0]

    def run_rows(
        self, outputs: Sequence[str] | None, rows: Sequence[Mapping[str, Array]]
    ) -> list[list[np.ndarray]]:
        """What `run` gives for each of the rows, each stage being loaded once for all of them."""
        wanted = self.index.outputs if outputs is None else tuple(outputs)
        _check("output", set(wanted) - set(self.index.outputs))
        known: list[dict[str, Any]] = []
        for feed in rows:
            _check("input", set(feed) ^ set(self.index.inputs))
            known.append(dict(feed))
        for number in range(len(self.index.stages)):
            self._run_stage(number, known)
            self.observe_stage()
        return [[tensors[name] for name in wanted] for tensors in known]

    def inspect(self, look: Callable[[Any], None]) -> None:
        """Show a session over each stage in turn to `look`, which may keep none of them."""
        for number in range(len(self.index.stages)):
            look(self._kept or self._open(number))
            if self._kept is None:
                _release()

    def _run_stage(self, number: int, rows: Sequence[dict[str, Any]]) -> None:
        """Adds what the stage gives to each row, and takes away what nobody needs any more."""
        stage = self.index.stages[number]
        opened = self._kept or self._open(number)
        for known in rows:
            given = opened.run(list(stage.outputs), {name: known[name] for name in stage.inputs})
            known.update(zip(stage.outputs, given, strict=True))
            for name in [one for one in known if self._last.get(one, -1) <= number]:
                del known[name]
        del opened
        if self._kept is None:
            _release()

    def _open(self, number: int) -> Any:
        return onnxruntime.InferenceSession(
            self._graphs[number], self._options(), providers=list(self._settings.providers)
        )

    def _options(self) -> Any:
        chosen = self._settings.options()
        chosen.enable_cpu_mem_arena = chosen.enable_mem_pattern = False  # both keep what they took
        chosen.add_session_config_entry(_FOLDER, str(self._folder))
        if not self.index.optimise:
            none = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
            chosen.graph_optimization_level = none
        return chosen


def _last_uses(index: archive.Index) -> dict[str, int]:
    """The last stage that takes each tensor; the model's outputs outlive them all."""
    last = {name: number for number, stage in enumerate(index.stages) for name in stage.inputs}
    return last | dict.fromkeys(index.outputs, len(index.stages))


def _check(what: str, names: set[str]) -> None:
    if names:
        raise ValueError(f"{what} {min(names)!r} is either missing or none of the model's")


def _ignore() -> None:
    """Nobody watches."""


def _release() -> None:
    """Gives freed memory back to the system, where the C library can."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
