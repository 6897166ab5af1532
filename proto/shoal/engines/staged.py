"""Runs a `.stages` file: each stage is loaded, run and released before the next one.

The weights stay in the file. A stage's graph is handed to onnxruntime with references to them, and
the runtime maps what it reads, so a stage takes its weights once and not twice; after it the memory
goes back to the system. Tensors between stages stay in memory until their last use.
"""

import contextlib
import ctypes
from collections.abc import Callable, Iterator, Mapping, Sequence
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
        wanted = self.index.outputs if outputs is None else tuple(outputs)
        _check("output", set(wanted) - set(self.index.outputs))
        _check("input", set(feed) ^ set(self.index.inputs))
        known: dict[str, Any] = dict(feed)
        for number in range(len(self.index.stages)):
            self._run_stage(number, known)
            self.observe_stage()
            for name in [n for n in known if self._last.get(n, -1) <= number]:
                del known[name]
        return [known[name] for name in wanted]

    def sessions(self) -> Iterator[Any]:
        """A session over each stage in turn, released before the next is opened."""
        for number in range(len(self.index.stages)):
            yield self._kept or self._open(number)
            if self._kept is None:
                _release()

    def _run_stage(self, number: int, known: dict[str, Any]) -> None:
        stage = self.index.stages[number]
        opened = self._kept or self._open(number)
        given = opened.run(list(stage.outputs), {name: known[name] for name in stage.inputs})
        known.update(zip(stage.outputs, given, strict=True))
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
