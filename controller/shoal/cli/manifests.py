"""Manifests as people wrote them: many documents a file, every value with its place.

A document is composed from YAML's nodes here and not by `yaml.safe_load`, because the nodes know
their line and column, and because anchors can make a small file expand without bound.
"""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from shoal.contract import limits
from shoal.contract.problem import InvalidError, NotFoundError, Problem
from shoal.contract.reason import Reason

STDIN = "-"
_SUFFIXES = {".yaml", ".yml", ".json"}
_VALUES = 100_000
_DEPTH = 64
_BYTES = 0xDC00  # where "surrogateescape" puts bytes that are no UTF-8


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Line and column, both counted from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One document: its value, its file, the folder that its paths start from, its places.

    `keys` has the place of each field's name, `values` that of its value, by field path such as
    `spec.strategy.waves[0].size`; the document itself is the empty path.
    """

    document: Any
    source: str
    folder: Path
    keys: dict[str, Place]
    values: dict[str, Place]

    def locate(self, problem: Problem) -> Problem:
        """`problem` with the place of its field, or of the nearest part around it that exists."""
        path = problem.field or ""
        is_name = problem.reason in {Reason.UNKNOWN_FIELD, Reason.NOT_BUILT_YET}
        places = self.keys if is_name and path in self.keys else self.values
        while path not in places:
            path = _parent(path)
        place = places[path]
        return Problem(
            reason=problem.reason,
            message=problem.message,
            field=problem.field,
            location=f"{self.source}:{place.line}:{place.column}",
            hint=problem.hint,
        )


def load(sources: Iterable[str]) -> list[Manifest]:
    """The documents of files, of the manifests in folders (by name), and of `-`, standard input.

    Raises:
        NotFoundError: a folder without manifests.
        OSError: a file that cannot be read.
        InvalidError: too large, or not YAML; says where.
    """
    found: list[Manifest] = []
    for source in sources:
        if source == STDIN:
            text = sys.stdin.buffer.read(limits.MANIFEST_BYTES + 1)
            found += _documents(text, "<stdin>", Path.cwd())
        else:
            for path in _files(Path(source)):
                found += _documents(_read(path), str(path), path.parent)
    return found


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    inside = sorted(one for one in path.iterdir() if one.suffix in _SUFFIXES and one.is_file())
    if not inside:
        raise _not_found(f"the folder {path} holds no manifest (*.yaml, *.yml, *.json)")
    return inside


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(limits.MANIFEST_BYTES + 1)


def _documents(text: bytes, source: str, folder: Path) -> Iterator[Manifest]:
    if len(text) > limits.MANIFEST_BYTES:
        raise _invalid(
            f"a manifest has at most {limits.MANIFEST_BYTES} bytes",
            source,
            "put data into files and name them",
        )
    try:
        # A byte that is no UTF-8 is a lone surrogate, which YAML refuses, and says where it stands.
        loader = yaml.SafeLoader(written := text.decode("utf-8", "surrogateescape"))
        while loader.check_node():
            node = loader.get_node()
            reader = _Reader(loader, source)
            value = None if node is None else reader.value(node, "", 0)
            if value is not None:
                yield Manifest(
                    document=value,
                    source=source,
                    folder=folder,
                    keys=reader.keys,
                    values=reader.values,
                )
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _invalid(error.problem or "not YAML", _location(source, mark), _YAML) from error
    except yaml.reader.ReaderError as error:
        raise _unreadable(written[: error.position], int(error.character), source) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise _invalid(f"not YAML: {_first_line(error)}", source, _YAML) from error


_YAML = "a manifest is YAML or JSON in UTF-8"


class _Reader:
    """Turns the nodes of one document into values, noting where each stood."""

    def __init__(self, loader: yaml.SafeLoader, source: str) -> None:
        self.keys: dict[str, Place] = {}
        self.values: dict[str, Place] = {}
        self._loader = loader
        self._source = source
        self._count = 0

    def value(self, node: yaml.Node, path: str, depth: int) -> Any:
        self._count += 1
        if self._count > _VALUES or depth > _DEPTH:
            raise self._wrong("the manifest is nested too deeply or too large", node)
        self.values[path] = _place(node)
        if isinstance(node, yaml.MappingNode):
            self._loader.flatten_mapping(node)
            return self._mapping(node, path, depth)
        if isinstance(node, yaml.SequenceNode):
            return [
                self.value(one, f"{path}[{index}]", depth + 1)
                for index, one in enumerate(node.value)
            ]
        return self._scalar(node)

    def _mapping(self, node: yaml.MappingNode, path: str, depth: int) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise self._wrong("a field's name must be a word", key_node)
            name = str(key_node.value)
            inner = f"{path}.{name}" if path else name
            if name in mapping:
                raise self._wrong(f"the field {name} is given twice", key_node)
            self.keys[inner] = _place(key_node)
            mapping[name] = self.value(value_node, inner, depth + 1)
        return mapping

    def _scalar(self, node: yaml.Node) -> Any:
        # A date is text here: JSON has no dates, and no field wants one.
        if node.tag == "tag:yaml.org,2002:timestamp":
            return node.value
        return self._loader.construct_object(node)

    def _wrong(self, message: str, node: yaml.Node) -> InvalidError:
        location = _location(self._source, node.start_mark)
        return _invalid(message, location, None)


def _place(node: yaml.Node) -> Place:
    return Place(line=node.start_mark.line + 1, column=node.start_mark.column + 1)


def _location(source: str, mark: yaml.Mark | None) -> str:
    return source if mark is None else f"{source}:{mark.line + 1}:{mark.column + 1}"


def _parent(path: str) -> str:
    """The path around `path`: `a.b[0]` is in `a.b`, which is in `a`, which is in the document."""
    if path.endswith("]"):
        return path[: path.rindex("[")]
    return path.rpartition(".")[0]


def _unreadable(before: str, character: int, source: str) -> InvalidError:
    """The error for a character that comes after `before` and cannot stand in YAML."""
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    is_byte = _BYTES <= character < _BYTES + 256
    what = f"byte 0x{character - _BYTES:02x} is no UTF-8" if is_byte else "YAML has no such letter"
    return _invalid(f"not YAML: {what}", f"{source}:{line}:{column}", _YAML)


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def _not_found(message: str) -> NotFoundError:
    return NotFoundError(Problem(reason=Reason.NOT_FOUND, message=message))


def _invalid(message: str, location: str, hint: str | None) -> InvalidError:
    return InvalidError(
        Problem(reason=Reason.INVALID, message=message, location=location, hint=hint)
    )
