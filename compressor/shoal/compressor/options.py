"""From the words of a command line to a job; every wrong word is answered with the right ones."""

import difflib
import importlib.util
import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shoal.compressor import budgets, errors, manifest
from shoal.compressor.evaluate.metrics.names import FLOOR_DB, Metric
from shoal.compressor.job import FloorRule, Job, Method
from shoal.compressor.manifest import Device
from shoal.contract import units
from shoal.contract.budget import Budget
from shoal.contract.choice import Objective
from shoal.contract.problem import InvalidError
from shoal.contract.profile import RuntimeChoice
from shoal.contract.reason import Reason

EFFORTS: Final = ("quick", "balanced", "thorough")
_FUNCTION: Final = re.compile(r"[A-Za-z_]\w*(\.\w+)*:[A-Za-z_]\w*")  # package.module:function
_NEEDED: Final = {"litert": ("ai_edge_litert", "ai_edge_quantizer")}  # packages of an engine
_DEFAULT_DROP: Final = 0.01
_MEMORY_AT_LEAST: Final = 128 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The command line as it was typed."""

    model: str
    calibration: str
    evaluation: str
    train: str | None
    metric: str | None
    max_drop: float | None
    min_score: float | None
    floor: str
    profile: str | None
    budget: str | None
    methods: str
    engines: str | None
    objective: str
    effort: str
    state: Sequence[str] | None
    trust_type: Sequence[str] | None
    trust_pickle: bool
    model_output: str | None
    seed: int
    golden: int | None
    out: str


def resolve(asked: Asked) -> Job:
    """The job that `asked` describes.

    Raises:
        InvalidError: a word that is not known, not built yet, or contradicts another.
        NotFoundError: the profile's file does not exist.
    """
    if not asked.out:
        raise errors.invalid(
            Reason.INVALID, "--out is empty", field="--out", hint="name a folder, or . for this one"
        )
    device = _device(asked)
    return Job(
        model=asked.model,
        calibration=Path(asked.calibration),
        evaluation=Path(asked.evaluation),
        train=None if asked.train is None else Path(asked.train),
        metric=None if asked.metric is None else _metric(asked.metric),
        floor=_floor(asked),
        budget=device.budget,
        runtime=device.runtime,
        engines=device.engines if asked.engines is None else _engines(asked.engines),
        target=device.target,
        methods=_methods(asked.methods),
        objective=Objective(_one_of(asked.objective, tuple(Objective), "--objective")),
        effort=_one_of(asked.effort, EFFORTS, "--effort"),
        states=_states(asked.state or ()),
        model_output=asked.model_output,
        trusted=tuple(asked.trust_type or ()),
        trust_pickle=asked.trust_pickle,
        seed=asked.seed,
        golden=asked.golden,
        out=Path(asked.out),
        cache=cache_folder() / "compress",
    )


def cache_folder() -> Path:
    """`$SHOAL_CACHE_DIR`, else `shoal` in the user's cache folder."""
    own = os.environ.get("SHOAL_CACHE_DIR")
    if own:
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "shoal"


def parse_budget(text: str, field: str) -> Budget:
    """`artifact=500KiB,memory=64MiB,latency=5ms`, any of the three."""
    values: dict[str, str] = {}
    for part in text.split(","):
        name, equals, value = part.partition("=")
        name = _one_of(name.strip(), budgets.LIMITS, field)
        if name in values:
            raise budgets.wrong(f"{name} is limited twice", field)
        if not equals:
            raise budgets.wrong(f"{part.strip()!r} is not one limit as name=value", field)
        values[name] = value.strip()
    return budgets.read(values, field)


def parse_memory_limit(text: str) -> int:
    """What `--memory-limit` allows, in bytes.

    Raises:
        InvalidError: no size, or less than the libraries alone take.
    """
    try:
        limit = units.parse_size_bytes(text)
    except ValueError as error:
        raise errors.invalid(
            Reason.INVALID, str(error), field="--memory-limit", hint="for example 4GiB"
        ) from None
    if limit < _MEMORY_AT_LEAST:
        raise errors.invalid(
            Reason.INVALID,
            f"{text} is less than onnx and onnxruntime take to load",
            field="--memory-limit",
            hint=f"give {units.format_size(_MEMORY_AT_LEAST)} or more, 1GiB with pruning",
        )
    return limit


def _metric(word: str) -> str:
    if _FUNCTION.fullmatch(word):
        return word
    try:
        return _one_of(word, tuple(Metric), "--metric")
    except InvalidError as error:
        raise errors.invalid(
            Reason.UNKNOWN_METRIC,
            f"{error.problem.message}, nor a function of yours (package.module:function)",
            field="--metric",
            hint=error.problem.hint,
        ) from None


def _states(words: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """The (input, output) pairs of `IN=OUT` words."""
    pairs = []
    for word in words:
        into, equals, out = word.partition("=")
        if not (into and equals and out):
            raise errors.invalid(
                Reason.INVALID,
                f"{word!r} is not a state as IN=OUT",
                field="--state",
                hint="name the input and the output that is fed back to it, --state h=h_next",
            )
        pairs.append((into, out))
    return tuple(pairs)


def _floor(asked: Asked) -> FloorRule:
    if asked.max_drop is not None and asked.min_score is not None:
        raise errors.invalid(
            Reason.INVALID,
            "--max-drop and --min-score exclude each other",
            field="--min-score",
            hint="a drop is relative to the source, a score is absolute: give one",
        )
    for name, value in (("--max-drop", asked.max_drop), ("--min-score", asked.min_score)):
        if value is not None and not math.isfinite(value):
            raise errors.invalid(
                Reason.INVALID,
                f"{name} is not a finite number",
                field=name,
                hint="give a number in the metric's own unit, such as 0.01",
            )
    if asked.max_drop is not None and asked.max_drop < 0:
        raise errors.invalid(
            Reason.INVALID,
            "--max-drop is below 0",
            field="--max-drop",
            hint="to ask for more than the source has is to ask for another model: give 0 or more",
        )
    drop, least = asked.max_drop, asked.min_score
    if asked.metric == Metric.SQNR:
        if drop is not None:
            raise errors.invalid(
                Reason.INVALID,
                "--max-drop says nothing of sqnr: the source's own, against itself, has no bound",
                field="--max-drop",
                hint=f"give --min-score in dB [{FLOOR_DB:g}]",
            )
        least = FLOOR_DB if least is None else least
    elif drop is None and least is None:
        drop = _DEFAULT_DROP
    kind = _one_of(asked.floor, ("measured", "proven"), "--floor")
    return FloorRule(max_drop=drop, min_score=least, proven=kind == "proven")


def _device(asked: Asked) -> Device:
    if asked.profile is not None and asked.budget is not None:
        raise errors.invalid(
            Reason.INVALID,
            "--profile and --budget exclude each other",
            field="--budget",
            hint="write the budget into the profile's manifest",
        )
    if asked.profile is not None:
        return manifest.device_profile(Path(asked.profile))
    budget = Budget() if asked.budget is None else parse_budget(asked.budget, "--budget")
    return Device(budget=budget, runtime=RuntimeChoice(), engines=("onnxruntime",), target=None)


def _engines(text: str) -> tuple[str, ...]:
    words = (part.strip() for part in text.split(","))
    named = tuple(dict.fromkeys(_one_of(word, manifest.ENGINES, "--engines") for word in words))
    for word in named:
        for package in _NEEDED.get(word, ()):
            if importlib.util.find_spec(package) is None:
                raise errors.invalid(
                    Reason.MISSING_EXTRA,
                    f"the engine {word} is not installed here",
                    field="--engines",
                    hint=f"pip install 'shoal[{word}]'",
                )
    return named


def _methods(text: str) -> frozenset[Method]:
    words = (part.strip() for part in text.split(",")) if text else ()
    return frozenset(Method(_one_of(word, tuple(Method), "--methods")) for word in words)


def _one_of(word: str, words: Sequence[str], field: str) -> str:
    if word in words:
        return word
    near = difflib.get_close_matches(word, words, n=1)
    listed = ", ".join(words)
    raise errors.invalid(
        Reason.INVALID,
        f"{word!r} is not one of {listed}",
        field=field,
        hint=f"did you mean {near[0]}?" if near else f"see {field} in shoal-compress --help",
    )
