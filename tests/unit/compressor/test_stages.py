"""Stages answer as the whole does, bit by bit, whatever the graph and however many there are."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from shoal.compressor.analyse import liveness, trace
from shoal.compressor.evaluate import staged
from shoal.compressor.passes import split
from shoal.compressor.staging import cutting, dividing, layout, modules
from shoal.engines import archive
from tests.unit.compressor.staging_zoo import ZOO, Array, chain, feeds

LINK = 128 * 128 * 4  # bytes of one weight of the chain


def cut(
    model: onnx.ModelProto, feed: dict[str, Array], budget_bytes: int
) -> tuple[bytes, tuple[cutting.Cut, ...]]:
    """A staged file of the model as it is, under a budget beside every session's own cost."""
    flow = liveness.flow(model, trace.trace(model, feed))
    cuts = cutting.cuts(cutting.Costs(flow), budget_bytes)
    return modules.pack(modules.modules(model, flow, cuts), flow, optimise=True), cuts


def stored(folder: Path, data: bytes) -> Path:
    path = folder / "some.stages"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("name", "limits"),
    [
        ("residual_cnn", (900_000, 350_000, 260_000)),
        ("two_in_two_out", (400_000, 190_000, 150_000)),
        ("recurrent", (400_000, 220_000, 215_000)),
        ("transformer_block", (900_000, 500_000, 300_000)),
        ("int8_table", (600_000, 350_000, 275_000)),
    ],
)
def test_stages_answer_as_the_whole_does_bit_by_bit(
    name: str, limits: tuple[int, ...], tmp_path: Path
) -> None:
    model, rows = ZOO[name]()
    every = feeds(model, rows)
    whole = onnxruntime.InferenceSession(model.SerializeToString())
    counts = []
    for limit in limits:
        found = split.exact_stages(model.SerializeToString(), every[:1], limit, 1)
        runner = staged.open_stages(stored(tmp_path, found.data), 1)
        for feed in every:
            for ours, theirs in zip(runner.run(None, feed), whole.run(None, feed), strict=True):
                assert ours.dtype == theirs.dtype
                assert ours.tobytes() == theirs.tobytes()
        counts.append(len(runner.index.stages))
    assert counts[0] <= counts[1] <= counts[2]
    assert counts[2] > 1


def test_one_stage_a_node_answers_the_same(tmp_path: Path) -> None:
    for name in ("two_in_two_out", "recurrent", "transformer_block"):
        model, rows = ZOO[name]()
        feed = feeds(model, rows)[0]
        flow = liveness.flow(model, trace.trace(model, feed))
        each = [
            cutting.Cut(start=i, end=i + 1, planned_bytes=0, cut_bytes=0)
            for i in range(len(flow.steps))
        ]
        parts = modules.modules(model, flow, each)
        runner = staged.open_stages(stored(tmp_path, modules.pack(parts, flow, optimise=False)), 1)
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        whole = onnxruntime.InferenceSession(model.SerializeToString(), options)
        for ours, theirs in zip(runner.run(None, feed), whole.run(None, feed), strict=True):
            assert ours.tobytes() == theirs.tobytes()


@pytest.mark.parametrize(("links", "fitting", "stages"), [(6, 2, 3), (7, 3, 3), (4, 4, 1)])
def test_there_are_as_few_stages_as_can_be(links: int, fitting: int, stages: int) -> None:
    model, rows = chain([128] * (links + 1))
    # n links: n weights, one of them twice while it is packed, and the nodes
    budget = (fitting + 1) * LINK + fitting * cutting.NODE_BYTES + 100
    _data, cuts = cut(model, feeds(model, rows)[0], budget)
    assert len(cuts) == stages
    assert [one.end for one in cuts][-1] == links
    assert all(one.planned_bytes <= budget for one in cuts)


def test_of_equally_few_stages_the_narrowest_cut_is_taken() -> None:
    model, rows = chain([128, 128, 16, 128, 128])
    _data, cuts = cut(model, feeds(model, rows)[0], 3 * LINK)
    assert [(one.start, one.end, one.cut_bytes) for one in cuts] == [(0, 2, 64), (2, 4, 0)]


def test_a_table_and_a_matrix_too_large_for_a_stage_are_divided() -> None:
    for model, rows in (ZOO["int8_table"](), chain([512, 1024, 8])):
        feed = feeds(model, rows)[0]
        seen = trace.trace(model, feed)
        largest = max(seen[tensor.name].bytes for tensor in model.graph.initializer)
        parts = dividing.divided(model, seen, largest // 2 + 270_000)
        sizes = [trace.stored(tensor).bytes for tensor in parts.graph.initializer]
        assert max(sizes) < largest / 1.5
        whole = onnxruntime.InferenceSession(model.SerializeToString())
        found = onnxruntime.InferenceSession(parts.SerializeToString())
        assert (whole.run(None, feed)[0] == found.run(None, feed)[0]).all()


def test_what_fits_nowhere_is_named_with_its_bytes() -> None:
    model, rows = ZOO["recurrent"]()
    with pytest.raises(cutting.CutError) as caught:
        cut(model, feeds(model, rows)[0], 100_000)
    assert caught.value.operator == "LSTM"
    assert caught.value.needed_bytes > 2 * 64 * 64 * 4 * 4


def test_the_same_cuts_give_the_same_bytes_and_every_stage_loads(tmp_path: Path) -> None:
    model, rows = ZOO["transformer_block"]()
    feed = feeds(model, rows)[0]
    data, cuts = cut(model, feed, 500_000)
    assert data == cut(model, feed, 500_000)[0]
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        names = file.namelist()
        assert names == [*(f"stage-{i}.onnx" for i in range(len(cuts))), "index.json"]
        for name in names[:-1]:
            onnxruntime.InferenceSession(file.read(name))
        index = json.loads(file.read("index.json"))
    assert index["inputs"] == ["ids"]
    assert index["carried"]
    assert staged.open_stages(stored(tmp_path, data), 1).run(["y"], feed)[0].shape == (1, 12, 64)


def test_large_weights_begin_at_whole_lines_of_the_file() -> None:
    array = np.arange(5_000, dtype=np.float32)
    model, _rows = chain([8, 8])
    for at in (0, 1, 37, 63):
        model.graph.initializer.append(numpy_helper.from_array(array, f"large{at}"))
        data = layout.write(model, at)
        assert (at + data.index(array.tobytes())) % 64 == 0
        again = onnx.load_from_string(data)
        found = {one.name: numpy_helper.to_array(one) for one in again.graph.initializer}
        assert (found[f"large{at}"] == array).all()


def test_a_runner_refuses_inputs_and_outputs_that_are_not_the_models(tmp_path: Path) -> None:
    model, rows = ZOO["two_in_two_out"]()
    feed = feeds(model, rows)[0]
    runner = staged.open_stages(stored(tmp_path, cut(model, feed, 300_000)[0]), 1)
    assert len(runner.run(["late"], feed)) == 1
    with pytest.raises(ValueError, match="output 'other'"):
        runner.run(["other"], feed)
    with pytest.raises(ValueError, match="input 'z'"):
        runner.run(None, {"x": feed["x"]})


def _renamed(data: bytes) -> bytes:
    return data.replace(b"stage-0.onnx", b"../../a.onnx")


def _flipped(data: bytes) -> bytes:
    at = len(data) // 2
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def _deflated(data: bytes) -> bytes:
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(data)) as old,
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            new.writestr(name, old.read(name))
    return buffer.getvalue()


def _indexed(change: Callable[[dict[str, object]], None]) -> Callable[[bytes], bytes]:
    def damage(data: bytes) -> bytes:
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            members = {name: file.read(name) for name in file.namelist()}
        index = json.loads(members.pop("index.json"))
        change(index)
        writer = archive.Writer()
        for name, member in members.items():
            writer.put(name, member)
        writer.put("index.json", json.dumps(index).encode())
        return writer.finish()

    return damage


@pytest.mark.parametrize(
    "damage",
    [
        _renamed,
        _flipped,
        _deflated,
        lambda data: data[:-30],
        lambda data: data[len(data) // 2 :],
        lambda _data: b"",
        lambda data: data + b"PK",
        _indexed(lambda index: index.update(version=9)),
        _indexed(lambda index: index.update(stages=[])),
        _indexed(lambda index: index.update(inputs=[])),
        _indexed(lambda index: index.update(outputs=["nowhere"])),
        _indexed(lambda index: index.update(stages="all")),
    ],
)
def test_a_damaged_file_is_refused_in_words(
    damage: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    model, rows = ZOO["two_in_two_out"]()
    data = cut(model, feeds(model, rows)[0], 300_000)[0]
    with pytest.raises(archive.StagesError):
        staged.open_stages(stored(tmp_path, damage(data)), 1)
