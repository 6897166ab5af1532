"""The stages of a graph as graphs of their own, and all of them as one file."""

import hashlib
from collections.abc import Sequence

import numpy as np
import onnx
from onnx import helper

from shoal.compressor.analyse import liveness
from shoal.compressor.analyse.liveness import Flow
from shoal.compressor.staging import layout
from shoal.compressor.staging.cutting import Cut
from shoal.engines import archive


def modules(model: onnx.ModelProto, graph: Flow, cuts: Sequence[Cut]) -> list[onnx.ModelProto]:
    """One model a cut. A weight that two stages read is in both; nothing else is twice."""
    stored = {tensor.name for tensor in model.graph.initializer}
    known = liveness.lives(graph)
    result = []
    for cut in cuts:
        steps = graph.steps[cut.start : cut.end]
        made = {name for step in steps for name in step.makes}
        read = {name for step in steps for name in (*step.reads, *step.weights)}
        taken = [n for n in dict.fromkeys(r for s in steps for r in s.reads) if n not in made]
        given = [
            name
            for step in steps
            for name in step.makes
            if known.used[name] >= cut.end or name in graph.outputs
        ]
        if cut.start == 0:  # an output that no node makes: a weight as it is
            given += [name for name in graph.outputs if name in stored]
        result.append(_module(model, cut, (taken, given), graph, read | set(given)))
    return result


def _module(
    model: onnx.ModelProto,
    cut: Cut,
    edges: tuple[list[str], list[str]],
    graph: Flow,
    read: set[str],
) -> onnx.ModelProto:
    part = onnx.ModelProto()
    part.ir_version = model.ir_version
    part.opset_import.extend(model.opset_import)
    part.functions.extend(model.functions)
    part.graph.name = "g"
    part.graph.node.extend(model.graph.node[cut.start : cut.end])
    part.graph.initializer.extend(t for t in model.graph.initializer if t.name in read)
    part.graph.sparse_initializer.extend(
        t for t in model.graph.sparse_initializer if t.values.name in read
    )
    declared = {value.name: value for value in (*model.graph.input, *model.graph.output)}
    taken, given = edges
    part.graph.input.extend(declared.get(name) or _value(name, graph) for name in taken)
    part.graph.output.extend(declared.get(name) or _value(name, graph) for name in given)
    return part


def _value(name: str, graph: Flow) -> onnx.ValueInfoProto:
    """A tensor between stages: its type and rank; its sizes are those of the row."""
    seen = graph.tensors[name]
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(seen.dtype))
    return helper.make_tensor_value_info(name, kind, [None] * len(seen.shape))


def pack(parts: Sequence[onnx.ModelProto], graph: Flow, *, optimise: bool) -> bytes:
    """The `.stages` file of these modules."""
    writer = archive.Writer()
    stages = []
    for number, part in enumerate(parts):
        name = archive.stage_name(number)
        data = layout.write(part, writer.next_at(name))
        writer.put(name, data)
        stages.append(
            archive.Stage(
                file=name,
                sha256=hashlib.sha256(data).hexdigest(),
                bytes=len(data),
                inputs=tuple(value.name for value in part.graph.input),
                outputs=tuple(value.name for value in part.graph.output),
            )
        )
    index = archive.Index(
        version=archive.VERSION,
        inputs=graph.inputs,
        outputs=graph.outputs,
        optimise=optimise,
        stages=tuple(stages),
        carried=_carried(stages),
    )
    writer.put(archive.INDEX, archive.index_bytes(index))
    return writer.finish()


def _carried(stages: Sequence[archive.Stage]) -> tuple[archive.Carried, ...]:
    made = {name: number for number, stage in enumerate(stages) for name in stage.outputs}
    used = {name: number for number, stage in enumerate(stages) for name in stage.inputs}
    return tuple(
        archive.Carried(name=name, made=made[name], used=last)
        for name, last in used.items()
        if name in made
    )
