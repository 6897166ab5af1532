"""Files made to run code: none of it runs, and each is refused with its reason and a next step."""

import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shoal.compressor.sources import formats, model, torchfile, zips
from shoal.compressor.sources.cell import landlock_version
from shoal.compressor.sources.formats import Trust
from shoal.compressor.sources.model import Desk, Source
from shoal.contract.problem import InvalidError, Problem

Json = Any
Members = dict[str, bytes]
PROGRAM = "models/model.json"
WEIGHTS = "data/weights/model_weights_config.json"
CONSTANTS = "data/constants/model_constants_config.json"


class Payload:
    """Touches a file when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.target,)


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Members:
    """The members of an honest .pt2, without their common folder."""
    import torch
    from torch import nn

    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)).eval()
    batch = torch.export.Dim("batch")
    path = tmp_path_factory.mktemp("honest") / "net.pt2"
    program = torch.export.export(net, (torch.rand(2, 4),), dynamic_shapes=({0: batch},))
    torch.export.save(program, path)
    with zipfile.ZipFile(path) as archive:
        return {
            name.partition("/")[2]: archive.read(name)
            for name in archive.namelist()
            if "serialization_id" not in name
        }


def write(members: Members, path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(f"net/{name}", data)
    return path


def read(path: Path, *, trust: bool = False) -> Source:
    folder = path.parent
    np.savez(folder / "rows.npz", x=np.ones((4, 4), np.float32))
    origin = formats.admit(str(path), Trust(pickle=trust))
    return model.read(origin, Desk(scratch=folder, rows=folder / "rows.npz"))


def indexed(path: Path) -> None:
    with zips.opened(path) as archive:
        torchfile.read_index(archive)


def refusal(members: Members, folder: Path) -> Problem:
    with pytest.raises(InvalidError) as caught:
        indexed(write(members, folder / "model.pt2"))
    assert caught.value.problem.hint
    return caught.value.problem


def edited(members: Members, name: str, edit: Callable[[Json], object]) -> Members:
    value = json.loads(members[name])
    edit(value)
    return members | {name: json.dumps(value).encode()}


def torch_pickle(target: Path) -> bytes:
    import torch

    buffer = io.BytesIO()
    torch.save(Payload(target), buffer)
    return buffer.getvalue()


def test_an_honest_archive_passes(honest: Members, tmp_path: Path) -> None:
    indexed(write(honest, tmp_path / "model.pt2"))


def test_a_weight_that_is_a_pickle_is_refused_unread(honest: Members, tmp_path: Path) -> None:
    touched = tmp_path / "touched"

    def hide(index: Json) -> None:
        next(iter(index["config"].values()))["use_pickle"] = True

    members = edited(honest, WEIGHTS, hide) | {"data/weights/weight_0": torch_pickle(touched)}
    path = write(members, tmp_path / "model.pt2")
    with pytest.raises(InvalidError, match="use_pickle") as caught:
        read(path)
    assert caught.value.problem.reason == "UnsafeFormat"
    assert not touched.exists()


@pytest.mark.parametrize("member", ["custom_obj_0", "opaque_obj_0", "../../weight_0", "weight_0/x"])
def test_only_raw_tensors_are_members(member: str, honest: Members, tmp_path: Path) -> None:
    def point(index: Json) -> None:
        index["config"]["own"] = {
            "path_name": member,
            "is_param": False,
            "use_pickle": False,
            "tensor_meta": {},
        }

    assert refusal(edited(honest, CONSTANTS, point), tmp_path).reason == "UnsafeFormat"


@pytest.mark.parametrize(
    "name", ["data/weights/model.pt", "data/constants/model.pt", "data/aotinductor/model/a.so"]
)
def test_legacy_pickles_and_compiled_code_are_refused(
    name: str, honest: Members, tmp_path: Path
) -> None:
    assert refusal(honest | {name: b""}, tmp_path).reason == "UnsafeFormat"


def test_the_older_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.pt2"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("version", "8.8")
        archive.writestr("serialized_state_dict.pt", pickle.dumps(Payload(tmp_path / "touched")))
    with pytest.raises(InvalidError, match="older format"):
        indexed(path)


@pytest.mark.parametrize("name", ["archive_version", "archive_format", "byteorder"])
def test_another_version_is_refused(name: str, honest: Members, tmp_path: Path) -> None:
    assert refusal(honest | {name: b"9"}, tmp_path).reason == "UnsafeFormat"


def node(**changes: Json) -> Callable[[Json], object]:
    def edit(program: Json) -> None:
        program["graph_module"]["graph"]["nodes"][0].update(changes)

    return edit


def size(text: str) -> Callable[[Json], object]:
    def edit(program: Json) -> None:
        program["graph_module"]["graph"]["tensor_values"]["input"]["sizes"][0] = {
            "as_expr": {"expr_str": text, "hint": None}
        }

    return edit


def structure(kind: str, context: str) -> Callable[[Json], object]:
    def edit(program: Json) -> None:
        signature = program["graph_module"]["module_call_graph"][0]["signature"]
        leaf: Json = {"type": None, "context": None, "children_spec": []}
        spec = {"type": kind, "context": context, "children_spec": [leaf]}
        signature["in_spec"] = json.dumps([1, spec])

    return edit


def own_range(program: Json) -> None:
    program["range_constraints"]["__import__('os').getpid()"] = {"min_val": 0, "max_val": 9}


def other_schema(program: Json) -> None:
    program["schema_version"]["major"] = 7


def spaced_name(program: Json) -> None:
    program["graph_module"]["graph"]["inputs"][0]["as_tensor"]["name"] = "x\nimport os"


@pytest.mark.parametrize(
    "edit",
    [
        node(target="torch.os.system"),
        node(target="torch.ops.load_library"),
        node(target="torch.ops.aten.__class__"),
        node(target="torch.ops.own.op.default"),
        node(target="_operator.methodcaller"),
        node(target="os.system"),
        node(target="#own"),
        node(target=["torch"]),
        node(inputs=[{"name": "f", "arg": {"as_operator": "torch.os.system"}, "kind": 1}]),
        node(inputs=[{"name": "f", "arg": {"as_custom_obj": {"name": "o"}}, "kind": 1}]),
        size("__import__('os').getpid()"),
        size("s0.__class__"),
        size("open('x')"),
        size("Symbol('s0', positive=True).func"),
        structure("collections.defaultdict", '{"default_factory_module": "antigravity"}'),
        structure("builtins.dict", '["a\\"] or print(1) or [\\""]'),
        structure("torch.Size", "null"),
        own_range,
        other_schema,
        spaced_name,
    ],
)
def test_a_program_that_names_anything_else_is_refused(
    edit: Callable[[Json], object], honest: Members, tmp_path: Path
) -> None:
    assert refusal(edited(honest, PROGRAM, edit), tmp_path).reason == "UnsafeFormat"


def test_samples_guards_and_notes_of_a_program_are_left_out(
    honest: Members, tmp_path: Path
) -> None:
    touched = tmp_path / "touched"
    code = f"__import__('pathlib').Path({str(touched)!r}).touch()"

    def guard(program: Json) -> None:
        program["guards_code"] = [code]
        program["graph_module"]["metadata"] = {"own": code}
        program["graph_module"]["graph"]["nodes"][0]["metadata"]["custom"] = code

    members = edited(honest, PROGRAM, guard)
    members |= {"data/sample_inputs/model.pt": torch_pickle(touched)}
    assert read(write(members, tmp_path / "model.pt2")).notes["batch"] == 4
    assert not touched.exists()


@pytest.mark.slow
def test_a_program_from_another_device_is_read_on_this_one(honest: Members, tmp_path: Path) -> None:
    elsewhere = {
        name: data.replace(b'"type": "cpu", "index": null', b'"type": "cuda", "index": 0')
        for name, data in honest.items()
    }
    assert elsewhere[WEIGHTS] != honest[WEIGHTS]
    assert read(write(elsewhere, tmp_path / "model.pt2")).notes["batch"] == 4


def test_an_index_nested_without_end_is_refused(honest: Members, tmp_path: Path) -> None:
    deep = b'{"config":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    assert refusal(honest | {WEIGHTS: deep}, tmp_path).reason == "UnsafeFormat"


def test_weights_that_do_not_fill_their_shape_end_in_words(honest: Members, tmp_path: Path) -> None:
    with pytest.raises(InvalidError) as caught:
        read(write(honest | {"data/weights/weight_0": b"\0" * 4}, tmp_path / "model.pt2"))
    assert caught.value.problem.reason == "LoadFailed"
    assert "Traceback" not in caught.value.problem.message


@pytest.mark.skipif(landlock_version() < 1, reason="this kernel has no Landlock")
@pytest.mark.parametrize("suffix", ["pkl", "pt"])
def test_a_trusted_pickle_still_writes_nothing_outside(suffix: str, tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    path = tmp_path / f"model.{suffix}"
    path.write_bytes(torch_pickle(touched) if suffix == "pt" else pickle.dumps(Payload(touched)))
    with pytest.raises(InvalidError, match="pickle"):
        read(path)
    with pytest.raises(InvalidError):
        read(path, trust=True)
    assert not touched.exists()
