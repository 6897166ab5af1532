"""Reads the DeviceProfile manifest that `--profile` names (contracts: section 4)."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import yaml

from shoal.compressor import budgets, errors
from shoal.compressor.target import Target, architecture
from shoal.contract import limits, profile
from shoal.contract.budget import Budget
from shoal.contract.problem import InvalidError
from shoal.contract.profile import RuntimeChoice
from shoal.contract.reason import Reason

_SPEC: Final = ("priority", "selector", "budget", "runtime", "hardware")
ENGINES: Final = ("onnxruntime", "litert")
PRECISIONS: Final = ("int8", "fp32", "fp16", "int4")
_RUNTIME: Final = ("engines", "providers", "threads", "precisions")
_THREADS_AT_MOST: Final = 256  # as the controller's own DeviceProfile has it
_EXAMPLE: Final = (
    "kind: DeviceProfile with spec.budget {artifact: 64KiB, latency: {p95: 5ms}}, "
    "spec.runtime {engines: [onnxruntime], threads: 1} and spec.hardware {arch: arm64, isa: [i8mm]}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """What a DeviceProfile says of its devices; `target` is None where they are like this one."""

    budget: Budget
    runtime: RuntimeChoice
    engines: tuple[str, ...]
    target: Target | None


def device_profile(path: Path) -> Device:
    """The DeviceProfile in the file `path`.

    Beside the fields of the resource it may hold `spec.hardware: {arch, isa}`, the machine that
    variants are for; without it a label `arch` of the selector names the architecture.

    Raises:
        InvalidError: not a DeviceProfile, or a field that is wrong or unknown.
        NotFoundError: no such file.
    """
    errors.require_file(str(path), "--profile")
    document = _document(path)
    if not isinstance(document, Mapping) or document.get("kind") != "DeviceProfile":
        raise _wrong("kind", f"{path.name} is not one DeviceProfile")
    spec = _mapping(document, "spec", _SPEC, "spec")
    budget = _mapping(spec, "budget", ("artifact", "memory", "latency"), "spec.budget")
    latency = _mapping(budget, "latency", ("p95",), "spec.budget.latency")
    limit = budgets.read({**budget, "latency": latency.get("p95")}, "spec.budget")
    runtime = _mapping(spec, "runtime", _RUNTIME, "spec.runtime")
    engines = _words(runtime, "engines", ("onnxruntime",))
    _only(engines, ENGINES, "spec.runtime.engines")
    return Device(budget=limit, runtime=_runtime(runtime), engines=engines, target=_target(spec))


def _document(path: Path) -> Any:
    if path.stat().st_size > limits.MANIFEST_BYTES:
        raise _wrong("--profile", f"{path.name} is larger than a manifest may be")
    try:
        return yaml.safe_load(path.read_text())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        problem = _wrong("--profile", f"{path.name} is not YAML: {error.problem}").problem
        at = None if mark is None else f"{path}:{mark.line + 1}:{mark.column + 1}"
        raise InvalidError(replace(problem, location=at)) from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise _wrong("--profile", f"{path.name} is not YAML") from None


def _target(spec: Mapping[str, Any]) -> Target | None:
    hardware = _mapping(spec, "hardware", ("arch", "isa"), "spec.hardware")
    selector = _mapping(spec, "selector", ("matchLabels", "matchExpressions"), "spec.selector")
    labels = selector.get("matchLabels") or {}
    arch = hardware.get("arch", labels.get("arch") if isinstance(labels, Mapping) else None)
    isa = _words(hardware, "isa", (), "spec.hardware") if hardware.get("isa") else ()
    for word in isa:
        if word not in profile.ISA_FEATURES:
            known = ", ".join(sorted(profile.ISA_FEATURES))
            raise _wrong("spec.hardware.isa", f"{word!r} is not one of {known}")
    if arch is None:
        if isa:
            raise _wrong("spec.hardware.arch", "spec.hardware names an isa and no arch")
        return None
    if not isinstance(arch, str):
        raise _wrong("spec.hardware.arch", f"{arch!r} is not the name of an architecture")
    return Target(arch=architecture(arch), isa=tuple(sorted(isa)))


def _runtime(given: Mapping[str, Any]) -> RuntimeChoice:
    threads = given.get("threads", 1)
    known = isinstance(threads, int) and not isinstance(threads, bool)
    if not known or not 1 <= threads <= _THREADS_AT_MOST:
        raise _wrong(
            "spec.runtime.threads",
            f"{threads!r} is not a number of threads from 1 to {_THREADS_AT_MOST}",
        )
    providers = _words(given, "providers", ("CPUExecutionProvider",))
    _only(providers, ("CPUExecutionProvider",), "spec.runtime.providers")
    precisions = _words(given, "precisions", profile.DEFAULT_PRECISIONS)
    _only(precisions, PRECISIONS, "spec.runtime.precisions")
    return RuntimeChoice(providers=providers, threads=threads, precisions=precisions)


def _mapping(
    parent: Mapping[str, Any], name: str, known: Sequence[str], field: str
) -> Mapping[str, Any]:
    found = parent.get(name)
    if found is None:
        return {}
    if not isinstance(found, Mapping):
        raise _wrong(field, f"{field} is not a mapping")
    for key in found:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            raise errors.invalid(
                Reason.UNKNOWN_FIELD,
                f"{field} has no field {key!r}",
                field=f"{field}.{key}",
                hint=f"did you mean {near[0]}?" if near else f"its fields are {', '.join(known)}",
            )
    return found


def _words(
    given: Mapping[str, Any], name: str, default: tuple[str, ...], within: str = "spec.runtime"
) -> tuple[str, ...]:
    found = given.get(name)
    if found is None:
        return default
    if not isinstance(found, list) or not found or not all(isinstance(w, str) for w in found):
        raise _wrong(f"{within}.{name}", f"{within}.{name} is not a list of words")
    return tuple(found)


def _only(words: Sequence[str], built: Sequence[str], field: str) -> None:
    for word in words:
        if word not in built:
            raise errors.not_built_yet(f"{word} in {field}", f"use {', '.join(built)}", field=field)


def _wrong(field: str, message: str, hint: str = _EXAMPLE) -> InvalidError:
    return errors.invalid(Reason.INVALID, message, field=field, hint=hint)
