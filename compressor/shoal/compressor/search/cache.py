"""What earlier runs already know, by content: every entry's name is the digest of its causes.

An entry appears whole or not at all (written beside, then renamed), so a killed run loses at most
the candidate it was working on, and the next run goes on from there. What a process is working on
lies in `doing/<pid>.json`: whoever watches over it can condemn that entry when it dies of it.
"""

import hashlib
import io
import json
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np

from shoal.compressor.artifacts import Format
from shoal.compressor.passes.protocol import PassError
from shoal.compressor.rejections import Rejection
from shoal.compressor.sources.rows import Array
from shoal.contract import digest

SCHEMA = 7  # raised when an entry's meaning changes
_CONDEMNED: Final = "condemned"
_BY: Final = "by"


class Cache:
    """A folder of JSON entries and model blobs."""

    def __init__(self, folder: Path) -> None:
        self._entries = folder / "entries"
        self._models = folder / "models"
        self._arrays = folder / "arrays"
        self._doing = folder / "doing"
        for part in (self._entries, self._models, self._arrays, self._doing):
            part.mkdir(parents=True, exist_ok=True)
        self._stack: list[Any] = []

    def entry(self, causes: Any, make: Callable[[], Any]) -> Any:
        """The JSON known under `causes`, or what `make` returns, kept from now on.

        Raises:
            PassError: BuildFailed, a process died while it made this entry.
        """
        known = self.get(causes)
        if known is None or _was_another_run(known):
            with self._working_on(causes):
                known = make()
            self.put(causes, known)
        if isinstance(known, dict) and _CONDEMNED in known:
            raise PassError(Rejection.BUILD_FAILED, known[_CONDEMNED])
        return known

    def condemn(self, reason: str, worker: int, *, lasting: bool) -> bool:
        """Refuses, with `reason`, what the dead process `worker` was working on.

        For ever where `lasting`; else only in the workers of the calling process, because another
        run may have more memory, or fewer enemies. False where it was working on nothing that is
        kept, so that running it again would end the same way.
        """
        causes = self.doing(worker)
        if causes is None:
            return False
        self.put(causes, {_CONDEMNED: reason, _BY: None if lasting else os.getpid()})
        (self._doing / f"{worker}.json").unlink(missing_ok=True)
        return True

    def doing(self, worker: int) -> Any | None:
        """The causes of what the process `worker` works on, or worked on when it died."""
        try:
            return json.loads((self._doing / f"{worker}.json").read_bytes())
        except (FileNotFoundError, ValueError):
            return None

    @contextmanager
    def _working_on(self, causes: Any) -> Iterator[None]:
        """Tells, for as long as it takes, what this process would lose; the innermost counts."""
        path = self._doing / f"{os.getpid()}.json"
        self._stack.append(causes)
        _write(path, json.dumps(causes).encode())
        try:
            yield
        finally:
            self._stack.pop()
            if self._stack:
                _write(path, json.dumps(self._stack[-1]).encode())
            else:
                path.unlink(missing_ok=True)

    def get(self, causes: Any) -> Any | None:
        """The JSON known under `causes`; None is "not known", never an entry."""
        try:
            return json.loads(self._path(causes).read_bytes())
        except (FileNotFoundError, ValueError):
            return None

    def put(self, causes: Any, entry: Any) -> None:
        """Keeps `entry` under `causes`."""
        _write(self._path(causes), json.dumps(entry).encode())

    def arrays(self, causes: Any, make: Callable[[], Mapping[str, Array]]) -> Mapping[str, Array]:
        """The arrays known under `causes`, or what `make` returns, kept from now on."""
        path = self._arrays / f"{self._path(causes).stem}.npz"
        try:
            with np.load(path, allow_pickle=False) as known:
                return {name: known[name] for name in known.files}
        except (OSError, ValueError, EOFError, zipfile.BadZipFile):
            made = make()
        data = io.BytesIO()
        np.savez(data, allow_pickle=False, **made)
        _write(path, data.getvalue())
        return made

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


def of_this_run(entry: dict[str, Any]) -> dict[str, Any]:
    """The entry, kept for the workers of this one's supervisor alone: others may do better."""
    return {**entry, _BY: os.getppid()}


def _was_another_run(known: Any) -> bool:
    """Whether an entry counts for the workers of another supervisor alone."""
    return isinstance(known, dict) and known.get(_BY) not in {None, os.getppid()}


def _write(path: Path, data: bytes) -> None:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".part-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        os.replace(name, path)  # noqa: PTH105 - the name is a string from mkstemp
    except OSError as error:
        Path(name).unlink(missing_ok=True)  # half a file would fill a full disk for ever
        error.filename = error.filename or str(path)
        raise
