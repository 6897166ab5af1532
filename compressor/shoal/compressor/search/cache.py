"""What earlier runs already know, by content: every entry's name is the digest of its causes.

An entry appears whole or not at all (written beside, then renamed), so a killed run loses at most
the candidate it was working on, and the next run goes on from there.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from shoal.compressor.artifacts import Format
from shoal.contract import digest

SCHEMA = 4  # raised when an entry's meaning changes


class Cache:
    """A folder of JSON entries and model blobs."""

    def __init__(self, folder: Path) -> None:
        self._entries = folder / "entries"
        self._models = folder / "models"
        for part in (self._entries, self._models):
            part.mkdir(parents=True, exist_ok=True)

    def entry(self, causes: Any, make: Callable[[], Any]) -> Any:
        """The JSON known under `causes`, or what `make` returns, kept from now on."""
        known = self.get(causes)
        if known is None:
            known = make()
            self.put(causes, known)
        return known

    def get(self, causes: Any) -> Any | None:
        """The JSON known under `causes`; None is "not known", never an entry."""
        try:
            return json.loads(self._path(causes).read_bytes())
        except (FileNotFoundError, ValueError):
            return None

    def put(self, causes: Any, entry: Any) -> None:
        """Keeps `entry` under `causes`."""
        _write(self._path(causes), json.dumps(entry).encode())

    def keep_model(self, data: bytes, kind: Format = Format.ONNX) -> digest.Digest:
        """Stores a serialised model under its digest."""
        name = digest.of_bytes(data)
        if not self.has_model(name, kind):
            _write(self.model_path(name, kind), data)
        return name

    def model_path(self, name: digest.Digest, kind: Format = Format.ONNX) -> Path:
        """Where the model `name` lies."""
        return self._models / f"{digest.hex_of(name)}.{kind}"

    def has_model(self, name: digest.Digest, kind: Format = Format.ONNX) -> bool:
        """Whether the model `name` lies here whole."""
        path = self.model_path(name, kind)
        return path.exists() and digest.of_file(path) == name

    def _path(self, causes: Any) -> Path:
        text = json.dumps([SCHEMA, causes], sort_keys=True, separators=(",", ":"))
        return self._entries / f"{hashlib.sha256(text.encode()).hexdigest()}.json"


def _write(path: Path, data: bytes) -> None:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".part-")
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    os.replace(name, path)  # noqa: PTH105 - the name is a string from mkstemp
