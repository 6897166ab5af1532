"""Reads the DeviceProfile manifest that `--profile` names (contracts: section 4)."""

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from shoal.compressor import errors
from shoal.contract import limits, profile, units
from shoal.contract.budget import Budget
from shoal.contract.profile import RuntimeChoice
from shoal.contract.reason import Reason

_SPEC: Final = ("priority", "selector", "budget", "runtime")
_RUNTIME: Final = ("engines", "providers", "threads", "precisions")


def device_profile(path: Path) -> tuple[Budget, RuntimeChoice]:
    """Budget and runtime of the DeviceProfile in the file `path`.

    Raises:
        InvalidError: not a DeviceProfile, or a field that is wrong or unknown.
        NotFoundError: no such file.
    """
    if not path.is_file():
        raise errors.missing_file(str(path), "--profile")
    if path.stat().st_size > limits.MANIFEST_BYTES:
        raise _wrong("--profile", f"{path.name} is larger than a manifest may be")
    try:
        document = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise _wrong("--profile", f"{path.name} is not YAML: {error}") from None
    if not isinstance(document, Mapping) or document.get("kind") != "DeviceProfile":
        raise _wrong("kind", f"{path.name} is not one DeviceProfile")
    spec = _mapping(document, "spec", _SPEC, "spec")
    budget = _mapping(spec, "budget", ("artifact", "memory", "latency"), "spec.budget")
    latency = _mapping(budget, "latency", ("p95",), "spec.budget.latency")
    try:
        limit = Budget(
            artifact_bytes=_quantity(budget.get("artifact"), units.parse_size_bytes),
            memory_bytes=_quantity(budget.get("memory"), units.parse_size_bytes),
            latency_p95_ms=_quantity(
                latency.get("p95"), lambda text: units.parse_duration_s(text) * 1000
            ),
        )
    except ValueError as error:
        raise _wrong("spec.budget", str(error)) from None
    return limit, _runtime(_mapping(spec, "runtime", _RUNTIME, "spec.runtime"))


def _runtime(given: Mapping[str, Any]) -> RuntimeChoice:
    threads = given.get("threads", 1)
    if not isinstance(threads, int) or isinstance(threads, bool) or threads < 1:
        raise _wrong("spec.runtime.threads", f"{threads!r} is not a number of threads")
    engines = _words(given, "engines", ("onnxruntime",))
    _only(engines, ("onnxruntime",), "spec.runtime.engines")
    providers = _words(given, "providers", ("CPUExecutionProvider",))
    _only(providers, ("CPUExecutionProvider",), "spec.runtime.providers")
    precisions = _words(given, "precisions", profile.DEFAULT_PRECISIONS)
    _only(precisions, profile.DEFAULT_PRECISIONS, "spec.runtime.precisions")
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


def _words(given: Mapping[str, Any], name: str, default: tuple[str, ...]) -> tuple[str, ...]:
    found = given.get(name)
    if found is None:
        return default
    if not isinstance(found, list) or not found or not all(isinstance(w, str) for w in found):
        raise _wrong(f"spec.runtime.{name}", f"spec.runtime.{name} is not a list of words")
    return tuple(found)


def _only(words: Sequence[str], built: Sequence[str], field: str) -> None:
    for word in words:
        if word not in built:
            raise errors.not_built_yet(f"{word} in {field}", f"use {', '.join(built)}", field=field)


def _quantity(text: Any, parse: Any) -> Any:
    if text is None:
        return None
    if not isinstance(text, str):
        text = f"{text}"  # a bare number: the parser says which unit is missing
    return parse(text)


def _wrong(field: str, message: str) -> Exception:
    return errors.invalid(Reason.INVALID, message, field=field)
