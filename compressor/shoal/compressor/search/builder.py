"""Turns recipes into models, pass by pass, reusing every prefix that was ever built."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import onnx

from shoal.compressor import errors
from shoal.compressor.artifacts import Artifact, Format
from shoal.compressor.evaluate.environment import Machine
from shoal.compressor.passes.compact import compact
from shoal.compressor.passes.protocol import Finished, PassContext, PassError, PassResult
from shoal.compressor.recipe import Recipe
from shoal.compressor.rejections import Rejection
from shoal.compressor.search import gates
from shoal.compressor.search.cache import Cache, of_this_run
from shoal.contract.digest import Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A model that loads: its digest names its file in the cache."""

    digest: Digest
    format: Format
    bytes: int
    notes: tuple[dict[str, Any], ...]


class Builder:
    """Builds recipes for one source and one set of rows.

    `context` is asked for only when a pass has to run: a fully cached run never parses the source.
    """

    def __init__(
        self, cache: Cache, causes: dict[str, Any], context: Callable[[], PassContext]
    ) -> None:
        self._cache = cache
        self._causes = causes
        self.context = context

    @property
    def build_causes(self) -> dict[str, Any]:
        """What decides the bytes of everything built here, for cache keys."""
        found: dict[str, Any] = self._causes["build"]
        return found

    @property
    def runtime_causes(self) -> dict[str, Any]:
        """What decides how a model runs here, for cache keys."""
        found: dict[str, Any] = self._causes["runtime"]
        return found

    def build(self, recipe: Recipe) -> Built:
        """The model of `recipe`, gated.

        Raises:
            PassError: a pass or a gate refuses it.
        """
        built = self._prefix(recipe)
        quantized = any(one.method == "quantize" for one in recipe.passes)
        if built.format is not Format.ONNX:
            return built  # its own pass has proven that it loads
        verdict = self._cache.entry(
            {"gate": built.digest, "quantized": quantized, **self._causes["runtime"]},
            lambda: self._gate(built, quantized=quantized),
        )
        _raise_refusal(verdict)
        return built

    def model(self, built: Built) -> onnx.ModelProto:
        """The parsed model."""
        return onnx.load(self._cache.model_path(built.digest))

    def _prefix(self, recipe: Recipe) -> Built:
        causes = {"build": recipe.to_json(), **self._causes["build"]}
        entry = self._cache.entry(causes, lambda: self._make(recipe))
        _raise_refusal(entry)
        if not self._cache.has_model(entry["digest"], Format(entry["format"])):
            entry = self._make(recipe)
            self._cache.put(causes, entry)
            _raise_refusal(entry)
        return Built(
            digest=Digest(entry["digest"]),
            format=Format(entry["format"]),
            bytes=entry["bytes"],
            notes=tuple(entry["notes"]),
        )

    def _make(self, recipe: Recipe) -> dict[str, Any]:
        """Runs the last pass on the prefix before it; a refusal is a result worth keeping too.

        One for want of memory is kept for this run alone: the next may have more.
        """
        context = self.context()
        *before, last = recipe.passes
        try:
            if before:
                prefix = self._prefix(Recipe(tuple(before)))
                model, notes = self.model(prefix), list(prefix.notes)
            else:
                model, notes = context.source, []
            result = last.apply(model, context)
            artifact = _finished(result)
        except Exception as error:  # noqa: BLE001 - a graph from anywhere may break any pass
            return _broken(error, last.method)
        notes.append({"method": last.method, **result.notes})
        return {
            "digest": self._cache.keep_model(artifact.data, artifact.format),
            "format": artifact.format.value,
            "bytes": len(artifact.data),
            "notes": notes,
        }

    def _gate(self, built: Built, *, quantized: bool) -> dict[str, Any]:
        model = self._cache.model_path(built.digest).read_bytes()
        try:
            gates.check(model, quantized=quantized)
        except PassError as error:
            return _refusal(error)
        return {}


def causes(machine: Machine, build: dict[str, Any], threads: int) -> dict[str, dict[str, Any]]:
    """What decides a model's bytes (`build`) and how it runs (`runtime`), for cache keys."""
    runtime = {
        "isa": list(machine.isa),
        "arch": machine.arch,
        "onnxruntime": dict(machine.versions)["onnxruntime"],
        "threads": threads,
    }
    return {
        "build": {**build, **runtime, "versions": [list(pair) for pair in machine.versions]},
        "runtime": runtime,
    }


def _finished(result: PassResult | Finished) -> Artifact:
    if isinstance(result, Finished):
        return result.artifact
    data = compact(result.model).SerializeToString(deterministic=True)
    return Artifact(format=Format.ONNX, data=data)


def _broken(error: Exception, method: str) -> dict[str, Any]:
    if errors.is_out_of_memory(error):
        lacking = PassError(Rejection.BUILD_FAILED, f"{method} ran out of memory")
        return of_this_run(_refusal(lacking))
    if isinstance(error, PassError):
        return _refusal(error)
    what = (str(error).splitlines() or [type(error).__name__])[0][:300]
    return _refusal(PassError(Rejection.BUILD_FAILED, f"{method} raised: {what}"))


def _refusal(error: PassError) -> dict[str, Any]:
    return {"refused": error.reason.value, "detail": error.message}


def _raise_refusal(entry: dict[str, Any]) -> None:
    if "refused" in entry:
        raise PassError(Rejection(entry["refused"]), entry["detail"])
