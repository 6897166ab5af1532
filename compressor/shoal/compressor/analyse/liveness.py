"""Which tensors are alive when: what a graph keeps in memory at every step of an inference."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import onnx

from shoal.compressor.analyse.trace import Seen
from shoal.compressor.passes.compact import subgraphs


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One node: activations and weights it reads (its subgraphs too), and what it makes."""

    operator: str
    reads: tuple[str, ...]
    weights: tuple[str, ...]
    makes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """A graph as steps in order. Position p lies before step p; there are len(steps) + 1."""

    steps: tuple[Step, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    tensors: Mapping[str, Seen]

    def bytes_of(self, name: str) -> int:
        """What one tensor takes."""
        return self.tensors[name].bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Lives:
    """From making to last use, as steps; inputs are made at -1, outputs used at len(steps)."""

    made: Mapping[str, int]
    used: Mapping[str, int]


def flow(model: onnx.ModelProto, tensors: Mapping[str, Seen]) -> Flow:
    """The graph of `model`, whose tensors are `tensors`."""
    graph = model.graph
    stored = {tensor.name for tensor in graph.initializer}
    stored |= {sparse.values.name for sparse in graph.sparse_initializer}
    inputs = tuple(value.name for value in graph.input if value.name not in stored)
    steps = []
    for node in graph.node:
        reads = tuple(dict.fromkeys(names_read(node)))
        steps.append(
            Step(
                operator=node.op_type,
                reads=tuple(name for name in reads if name not in stored),
                weights=tuple(name for name in reads if name in stored),
                makes=tuple(name for name in node.output if name),
            )
        )
    outputs = tuple(value.name for value in graph.output)
    return Flow(steps=tuple(steps), inputs=inputs, outputs=outputs, tensors=tensors)


def names_read(node: onnx.NodeProto) -> Iterator[str]:
    """What a node reads from the graph around it, its subgraphs' outer names included."""
    yield from (name for name in node.input if name)
    for inner in subgraphs(node):
        yield from _outer_names(inner)


def _outer_names(graph: onnx.GraphProto) -> Iterator[str]:
    own = {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}
    for node in graph.node:
        yield from (name for name in names_read(node) if name not in own)
        own |= set(node.output)
    yield from (value.name for value in graph.output if value.name not in own)


def lives(graph: Flow) -> Lives:
    """When each activation is made and last used."""
    made = dict.fromkeys(graph.inputs, -1)
    used = dict(made)
    for number, step in enumerate(graph.steps):
        made |= dict.fromkeys(step.makes, number)
        used |= dict.fromkeys(step.makes, number)
        used |= dict.fromkeys(step.reads, number)
    used |= {name: len(graph.steps) for name in graph.outputs if name in made}
    return Lives(made=made, used=used)


def live_bytes(graph: Flow) -> tuple[int, ...]:
    """Bytes of activations alive while each step runs.

    Example: x (4 bytes) -> a (8) -> b (2), in two steps: 12 while a is made of x, and 10 while b is
    made of a, for then x has no reader left.
    """
    known = lives(graph)
    change = [0] * (len(graph.steps) + 2)
    for name, made in known.made.items():
        change[max(made, 0)] += graph.bytes_of(name)
        change[min(known.used[name], len(graph.steps)) + 1] -= graph.bytes_of(name)
    total, result = 0, []
    for step in range(len(graph.steps)):
        total += change[step]
        result.append(total)
    return tuple(result)
