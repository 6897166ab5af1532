"""torch models come in as .pt2 or through a loader, proved against torch itself."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from torch.export import Dim

from shoal.compressor.sources import formats, likeness, loader, model
from shoal.compressor.sources.formats import Trust
from shoal.compressor.sources.model import Desk, Source
from shoal.contract.problem import InvalidError, Problem
from tests.compress import torch_zoo
from tests.compress.workshop import Workshop

ZOO = Path(torch_zoo.__file__)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with the user's module and rows for each of its networks."""
    (tmp_path / "zoo.py").write_bytes(ZOO.read_bytes())
    random = np.random.default_rng(0)
    mask = (np.arange(12) < random.integers(4, 13, (20, 1))).astype(np.int64)
    np.savez(tmp_path / "images.npz", x=random.random((20, 1, 8, 8), dtype=np.float32))
    np.savez(tmp_path / "text.npz", input_ids=random.integers(0, 50, (20, 12)), attention_mask=mask)
    np.savez(tmp_path / "steps.npz", steps=random.random((20, 5, 8), dtype=np.float32))
    np.savez(tmp_path / "one_row.npz", x=random.random((20, 4), dtype=np.float32))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.delitem(sys.modules, "zoo", raising=False)
    return tmp_path


def read(text: str, rows: str, folder: Path, trust: Trust = formats.NO_TRUST) -> Source:
    origin = formats.admit(text, trust)
    desk = Desk(scratch=folder, rows=folder / f"{rows}.npz", kept=folder / "kept")
    return model.read(origin, desk)


def refusal(text: str) -> Problem:
    with pytest.raises(InvalidError) as caught:
        loader.open_origin(formats.admit(text))
    assert caught.value.problem.hint
    return caught.value.problem


def test_images_come_through_a_loader_with_an_open_batch(folder: Path) -> None:
    source = read("zoo:images", "images", folder)
    (given,), (answer,) = source.signature.inputs, source.signature.outputs
    assert (given.name, given.shape) == ("image", (None, 1, 8, 8))
    assert (answer.name, answer.shape) == ("output", (None, 10))
    assert source.notes["batch"] == 8
    assert source.notes["max_abs"] < 1e-5
    proto = onnx.load(source.path)
    assert not any(node.metadata_props for node in proto.graph.node)
    assert b"zoo.py" not in source.path.read_bytes()


def test_a_transformer_in_a_pt2_is_tried_padded_and_cut(folder: Path) -> None:
    net, example = torch_zoo.text()
    assert isinstance(example, dict)
    open_axes = {0: Dim("batch"), 1: Dim("length", max=64)}
    shapes = {"input_ids": open_axes, "attention_mask": open_axes}
    program = torch.export.export(net.eval(), (), example, dynamic_shapes=shapes)
    torch.export.save(program, folder / "text.pt2")
    source = read("text.pt2", "text", folder)
    assert [one.name for one in source.signature.outputs] == ["scores", "mean"]
    assert [one.shape for one in source.signature.inputs] == [(None, None), (None, None)]
    assert source.notes["padded"]
    assert source.notes["cut"]
    assert source.origin is not None
    assert source.origin_bytes == (folder / "text.pt2").stat().st_size
    (folder / "text.npz").touch()
    assert read("text.pt2", "text", folder) == source  # kept: no child converts it again


@pytest.mark.slow
def test_a_recurrent_network_has_its_outputs_numbered(folder: Path) -> None:
    source = read("zoo:steps", "steps", folder)
    assert [one.name for one in source.signature.outputs] == ["output_0", "output_1"]
    assert [node.op_type for node in onnx.load(source.path).graph.node].count("LSTM") == 1


@pytest.mark.slow
def test_one_row_alone_stays_one_row(folder: Path) -> None:
    net, example = torch_zoo.one_row()
    assert isinstance(example, torch.Tensor)
    torch.export.save(torch.export.export(net.eval(), (example,)), folder / "row.pt2")
    source = read("row.pt2", "one_row", folder)
    assert source.signature.inputs[0].shape == (1, 4)
    assert (source.notes["rows"], source.notes["batch"]) == (16, 1)


@pytest.mark.slow
def test_a_trusted_pickled_network_takes_its_rows_as_examples(folder: Path) -> None:
    net, _ = importlib.import_module("zoo").images()
    torch.save(net, folder / "net.pt")
    source = read("net.pt", "images", folder, Trust(pickle=True))
    assert source.notes["batch"] == 8


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("name", "reason", "words", "line"),
    [
        ("failing", "LoadFailed", "FileNotFoundError: weights.pt is not here", "raise FileNot"),
        ("unfitting", "LoadFailed", "shapes cannot be multiplied", "self.second(nn."),
        ("undecided", "ConversionFailed", "data-dependent", "if x.sum() > 0"),
        ("alone", "LoadFailed", "not a pair", None),
        ("absent", "LoadFailed", "no function 'absent'", None),
    ],
)
def test_what_fails_in_a_loader_is_told_at_the_users_own_line(
    name: str, reason: str, words: str, line: str | None
) -> None:
    problem = refusal(f"zoo:{name}")
    assert problem.reason == reason
    assert words in problem.message
    assert "\n" not in problem.message
    if line is None:
        assert problem.location is None
    else:
        file, number, _ = str(problem.location).split(":")
        assert Path(file).name == "zoo.py"
        assert line in ZOO.read_text().splitlines()[int(number) - 1]


@pytest.mark.usefixtures("folder")
def test_a_module_that_is_not_there_is_named() -> None:
    assert "no module 'absent'" in refusal("absent:make").message


def test_a_spoilt_layer_is_the_first_that_is_named(folder: Path) -> None:
    net, example = torch_zoo.text()
    assert isinstance(example, dict)
    converter = loader.of_module(net, ((), example), "zoo:text")
    proto = converter.convert()
    norms = [node for node in proto.graph.node if node.op_type == "LayerNormalization"]
    norms[-1].input[1] = "spoilt"
    proto.graph.initializer.append(numpy_helper.from_array(np.full(16, 2, np.float32), "spoilt"))
    with pytest.raises(InvalidError) as caught:
        likeness.prove(converter, proto, folder / "text.npz")
    message = caught.value.problem.message
    assert "output 'scores' is off by" in message
    assert "the first layer to differ is encoder.layers.0.norm2" in message


def test_the_command_takes_a_loader_from_the_working_directory(folder: Path) -> None:
    random = np.random.default_rng(1)
    np.savez(folder / "evaluation.npz", x=random.random((30, 1, 8, 8), dtype=np.float32))
    workshop = Workshop(folder=folder, cache=folder / "cache")
    rows = str(folder / "images.npz")
    command = workshop.command("--calibration", rows, "--max-drop", "1", "--methods", "split")
    command[command.index(str(folder / "source.onnx"))] = "zoo:images"
    done = subprocess.run(
        command, env=workshop.environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (folder / "out" / report["chosen"]["file"]).is_file()
    assert report["source"]["origin"]["format"] == "loader"
    assert report["source"]["origin"]["parity"]["max_abs"] < 1e-3
