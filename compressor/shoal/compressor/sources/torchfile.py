"""torch.export archives (.pt2) as a source: indexes first, without torch, then a clean copy.

`torch.export.load` runs pickles that hide in an archive: entries marked `use_pickle`, legacy
weights, custom objects, sample inputs that are no plain tensors. None of them is ever handed to it.
A copy is written that holds the raw bytes of weights and constants, their indexes and the washed
program; torch reads only that copy.
"""

import json
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from shoal.compressor import errors
from shoal.compressor.sources import washing, zips
from shoal.compressor.sources.origin import Origin
from shoal.compressor.sources.torchgraph import TorchConverter
from shoal.contract import limits
from shoal.contract.problem import InvalidError
from shoal.contract.reason import Reason

_PROGRAM: Final = "models/model.json"
_PAYLOADS: Final = {
    "data/weights": "model_weights_config",
    "data/constants": "model_constants_config",
}
_RAW: Final = re.compile(r"(weight|tensor)_\d{1,9}")
_INDEX_BYTES: Final = 256 * limits.MIB
_ROOT: Final = "model"
_AGAIN: Final = (
    "export it again with torch.export.export and torch.export.save of torch 2.13, on plain tensors"
)

Json = Any


@dataclass(frozen=True, slots=True, kw_only=True)
class _Indexed:
    """What an archive's indexes say, washed: which members are raw bytes, and the program."""

    root: str
    raw: tuple[str, ...]
    texts: dict[str, Json]


def open_origin(origin: Origin) -> TorchConverter:
    """The converter of the program in a .pt2.

    Raises:
        InvalidError: the archive is damaged, of another version, or holds a pickle.
    """
    path = Path(origin.location)
    with zips.opened(path) as archive:
        indexed = read_index(archive)
        from shoal.compressor.sources import torchgraph  # noqa: PLC0415 - torch, after the indexes

        clean = Path.cwd() / "washed.pt2"
        _copy(archive, indexed, clean)
    return torchgraph.of_program(torchgraph.load(clean, path.name), path.name)


def read_index(archive: zipfile.ZipFile) -> _Indexed:
    """The archive's indexes, without torch.

    Raises:
        InvalidError: UnsafeFormat, an entry or a version that only a pickle could restore.
    """
    names = set(archive.namelist())
    root = next(
        (n.removesuffix("/archive_format") for n in names if n.endswith("/archive_format")), None
    )
    if root is None:
        raise _refuse(archive, "is of an older format, which torch restores from pickles")
    inside = {name.removeprefix(f"{root}/") for name in names if name.startswith(f"{root}/")}
    _check_version(archive, root)
    for name in sorted(inside):
        if name.startswith(("data/aotinductor/", "data/executorch/")):
            raise _refuse(archive, f"holds compiled code ({name})")
        if name in {"data/weights/model.pt", "data/constants/model.pt"}:
            raise _refuse(archive, f"keeps {name} as a pickle")
    if _PROGRAM not in inside:
        raise _refuse(archive, "holds no program called 'model'")
    texts = {_PROGRAM: _program(archive, f"{root}/{_PROGRAM}")}
    raw: list[str] = []
    for folder, config in _PAYLOADS.items():
        name = f"{folder}/{config}.json"
        index = _json(archive, f"{root}/{name}")
        raw += [f"{folder}/{one}" for one in _raw_members(archive, index)]
        texts[name] = washing.wash(index)
    return _Indexed(root=root, raw=tuple(dict.fromkeys(raw)), texts=texts)


def _check_version(archive: zipfile.ZipFile, root: str) -> None:
    for name, expected in (("archive_format", b"pt2"), ("archive_version", b"0")):
        found = zips.read(archive, f"{root}/{name}", limits.KIB)
        if found.strip() != expected:
            raise _refuse(archive, f"has {name} {found[:20]!r}, which is not known here")
    if f"{root}/byteorder" in archive.namelist():
        order = zips.read(archive, f"{root}/byteorder", limits.KIB)
        if order != b"little":
            raise _refuse(archive, f"is in byte order {order[:20]!r}")


def _program(archive: zipfile.ZipFile, name: str) -> Json:
    program = _json(archive, name)
    version = program.get("schema_version")
    major = version.get("major") if isinstance(version, dict) else None
    if major != washing.SCHEMA_MAJOR:
        raise _refuse(archive, f"has a program of schema version {major!r}, not known here")
    return washing.wash(program)


def _raw_members(archive: zipfile.ZipFile, index: Json) -> list[str]:
    """The members that an index names, each raw bytes."""
    entries = index.get("config")
    if not isinstance(entries, dict):
        raise _refuse(archive, "has an index without entries")
    members = []
    for title, entry in entries.items():
        if not isinstance(entry, dict) or entry.get("use_pickle") is not False:
            raise _refuse(archive, f"keeps {title[:80]!r} as a pickle (use_pickle)")
        member = entry.get("path_name")
        if not isinstance(member, str) or not _RAW.fullmatch(member):
            raise _refuse(archive, f"keeps {title[:80]!r} in a member that is no raw tensor")
        if not isinstance(entry.get("tensor_meta"), dict):
            raise _refuse(archive, f"does not describe {title[:80]!r}")
        members.append(member)
    return members


def _json(archive: zipfile.ZipFile, name: str) -> dict[str, Any]:
    try:
        found = json.loads(zips.read(archive, name, _INDEX_BYTES))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise _refuse(archive, f"has an unreadable index {name}")
    return found


def _copy(archive: zipfile.ZipFile, indexed: _Indexed, target: Path) -> None:
    """Writes the clean archive; sample inputs are left out, since they are a pickle."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as clean:
        for name, text in (
            ("archive_format", "pt2"),
            ("archive_version", "0"),
            ("byteorder", "little"),
        ):
            clean.writestr(f"{_ROOT}/{name}", text)
        clean.writestr(f"{_ROOT}/.data/version", "6\n")
        for name in indexed.raw:
            data = zips.read(archive, f"{indexed.root}/{name}", limits.MODEL_BYTES)
            clean.writestr(f"{_ROOT}/{name}", data)
        for name, value in indexed.texts.items():
            clean.writestr(f"{_ROOT}/{name}", json.dumps(value))
        clean.writestr(f"{_ROOT}/data/sample_inputs/model.pt", b"")


def _refuse(archive: zipfile.ZipFile, what: str) -> InvalidError:
    name = Path(archive.filename or "").name
    return errors.invalid(Reason.UNSAFE_FORMAT, f"{name} {what}", field="MODEL", hint=_AGAIN)
