"""Read an ONNX graph into a network, node by node, while one row runs through it.

Running a row while reading gives every shape without shape inference, and works on graphs whose
batch is fixed to 1: the network holds the rows in front of every value, so the result takes any
number of rows. Whether that was right is for the parity check to say.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import onnx
import torch
from onnx import inliner, numpy_helper
from torch import Tensor, nn

from shoal.compressor.network import folding, patterns
from shoal.compressor.network.biases import became_bias
from shoal.compressor.network.graph import Network, Port, Ports, Step
from shoal.compressor.network.layout import Shape, View, aligned
from shoal.compressor.network.node import Array, Node, Reading, refusal
from shoal.compressor.network.shaping import Reshape
from shoal.compressor.network.table import OPERATORS, PLACES, Operator, Place
from shoal.compressor.passes.protocol import PassError

_DOMAINS = ("", "ai.onnx")
_PASSED_ON = ("Identity", "Dropout")


@dataclass(frozen=True, slots=True)
class _Seen:
    """A name of the graph: the network's value behind it, and how the graph sees a row of it."""

    value: str
    view: View


def read(model: onnx.ModelProto, row: Mapping[str, Tensor]) -> Network:
    """The network of a graph; `row` holds one row for every input.

    An array without axes is a constant that every row is fed with; it becomes part of the network.

    Raises:
        PassError: UnsupportedOperator naming operator and node.
    """
    whole = inliner.inline_local_functions(model) if model.functions else model
    return _Reader(whole, row).read()


class _Reader:
    """The state of one import: what is constant, what ran, what it is called now."""

    def __init__(self, model: onnx.ModelProto, row: Mapping[str, Tensor]) -> None:
        self.graph = model.graph
        self.opset = next(o.version for o in model.opset_import if o.domain in _DOMAINS)
        self.constants: dict[str, Array] = {
            weight.name: numpy_helper.to_array(weight) for weight in self.graph.initializer
        }
        self.declared = [port for port in self.graph.input if port.name not in self.constants]
        self.readers = folding.readers(self.graph)
        self.ran: dict[str, Tensor] = {}
        self.seen: dict[str, _Seen] = {}
        self.layers: dict[str, nn.Module] = {}
        self.keys: dict[nn.Module, str] = {}
        self.biased: set[nn.Module] = set()
        self.shared: dict[tuple[object, ...], Reading] = {}
        self.steps: list[Step] = []
        for port in self.declared:
            self._read_input(port, row[port.name])

    def _read_input(self, port: onnx.ValueInfoProto, row: Tensor) -> None:
        if row.ndim == 0:
            self.constants[port.name] = row.numpy()
            return
        rank = len(port.type.tensor_type.shape.dim)
        shape = tuple(row.shape)
        view = View(shape=shape, rows=0) if rank == row.ndim else View(shape=shape[1:], rows=None)
        self._know(port.name, port.name, row, view)

    def _know(self, name: str, value: str, ran: Tensor, view: View) -> None:
        self.ran[value] = ran
        self.seen[name] = _Seen(value, view)

    def read(self) -> Network:
        """Every node in turn, then the ports."""
        for proto in patterns.nodes(self.graph, self.constants):
            try:
                self._read_node(proto)
            except PassError:
                raise
            except Exception as error:  # a graph from anywhere may break numpy or torch in any way
                what = (str(error).splitlines() or [type(error).__name__])[0][:200]
                raise refusal(proto, f"it cannot be read: {what}") from error
        changing = [port for port in self.declared if port.name in self.seen]
        ports = Ports(
            declared=tuple(self.declared),
            inputs=tuple(self._port(port) for port in changing),
            outputs=tuple(self._port(port) for port in self.graph.output),
        )
        return Network(self.layers, self.steps, ports).lay_out()

    def _port(self, declared: onnx.ValueInfoProto) -> Port:
        if declared.name not in self.seen:
            raise refusal(onnx.NodeProto(op_type="Constant"), f"output {declared.name!r} is one")
        seen = self.seen[declared.name]
        floating = self.ran[seen.value].is_floating_point()
        return Port(declared=declared, value=seen.value, view=seen.view, trainable=floating)

    def _read_node(self, proto: onnx.NodeProto) -> None:
        if proto.domain not in _DOMAINS:
            raise refusal(proto, "not one of ONNX's own operators")
        active = [name for name in proto.input if name in self.seen]
        if proto.op_type == "If" and proto.input[0] in self.constants:
            self._inline(proto)
        elif proto.op_type in _PASSED_ON and not active:
            self.constants[proto.output[0]] = self.constants[proto.input[0]]
        elif not active and not folding.has_graph(proto):
            self.constants.update(folding.fold(proto, self.constants, self.opset))
        elif proto.op_type in {"Shape", "Size"}:
            shape = self.seen[active[0]].view.shape
            self.constants[proto.output[0]] = folding.shape_answer(proto, shape)
        elif proto.op_type in _PASSED_ON:
            self.seen[proto.output[0]] = self.seen[active[0]]
        elif proto.op_type not in OPERATORS:
            raise refusal(proto, "not in the table of operators that can be trained")
        else:
            self._add_layer(proto)

    def _inline(self, proto: onnx.NodeProto) -> None:
        """The branch that a constant condition chooses, in the place of the If."""
        chosen = (
            "then_branch" if bool(self.constants[proto.input[0]].reshape(-1)[0]) else "else_branch"
        )
        branch = next(a.g for a in proto.attribute if a.name == chosen)
        for weight in branch.initializer:
            self.constants[weight.name] = numpy_helper.to_array(weight)
        for inner in branch.node:
            self._read_node(inner)
        for outside, inside in zip(proto.output, branch.output, strict=True):
            if inside.name in self.seen:
                self.seen[outside] = self.seen[inside.name]
            else:
                self.constants[outside] = self.constants[inside.name]

    def _add_layer(self, proto: onnx.NodeProto) -> None:
        operator = OPERATORS[proto.op_type]
        places = [index for index, name in enumerate(proto.input) if name in self.seen]
        placed = self._placed(proto, PLACES.get(proto.op_type, Place.ANYWHERE), places)
        values = [seen.value for seen in placed]
        node = Node(
            proto=proto,
            constants=self.constants,
            views={index: seen.view for index, seen in zip(places, placed, strict=True)},
            types={
                index: self.ran[value].dtype for index, value in zip(places, values, strict=True)
            },
            opset=self.opset,
        )
        reading = self._reading(node, operator)
        if reading.layer is None:
            view = View.of(tuple(self.ran[values[0]].shape), reading.rows[0])
            self.seen[proto.output[0]] = _Seen(values[0], view)
        elif self._became_bias(reading.layer, values[0]):
            with torch.no_grad():
                added = reading.layer(self.ran[values[0]])
            self._know(proto.output[0], values[0], added, placed[0].view)
        else:
            self._run(node, reading, values)

    def _reading(self, node: Node, operator: Operator) -> Reading:
        """What the operator makes of the node; the same layer where the same weights work again."""
        names = [name for name in node.proto.input if name in self.constants]
        attributes = b"".join(a.SerializeToString() for a in node.proto.attribute)
        weights = tuple(id(self.constants[name]) for name in names)
        key = (node.proto.op_type, attributes, weights, node.shapes, tuple(node.views.values()))
        before = self.shared.get(key)
        # A bias that was added to the layer meanwhile is not this node's.
        if before is not None and before.layer not in self.biased:
            return before
        read = operator.read(node)
        reading = read if isinstance(read, Reading) else _unmoved(read, node)
        if reading.layer is not None and any(True for _ in reading.layer.parameters()):
            self.shared[key] = reading
        return reading

    def _run(self, node: Node, reading: Reading, values: Sequence[str]) -> None:
        """Let the row through the layer and note what came out, and how the graph sees it."""
        assert reading.layer is not None
        with torch.no_grad():
            result = reading.layer.eval()(*(self.ran[value] for value in values))
        results = result if isinstance(result, tuple) else (result,)
        names = [*node.proto.output, *[""] * len(results)][: len(results)]
        operator = node.proto.op_type
        if isinstance(reading.layer, nn.Linear):
            operator = "Gemm" if results[0].ndim == 2 else "MatMul"
        self._step(node.label, operator, reading.layer, (values, names))
        for name, ran, rows in zip(names, results, reading.rows, strict=True):
            if ran.shape[0] != 1:
                node.refuse("it does not keep the rows apart")
            if name:
                self._know(name, name, ran, View.of(tuple(ran.shape), rows))

    def _step(
        self,
        label: str,
        operator: str,
        layer: nn.Module,
        values: tuple[Sequence[str], Sequence[str]],
    ) -> None:
        key = self.keys.setdefault(layer, f"layer{len(self.keys)}")
        self.layers[key] = layer
        inputs, outputs = values
        self.steps.append(
            Step(
                label=label,
                layer=key,
                operator=operator,
                inputs=tuple(inputs),
                outputs=tuple(outputs),
            )
        )

    def _placed(self, proto: onnx.NodeProto, place: Place, places: list[int]) -> list[_Seen]:
        """The inputs with their rows where the operator needs them."""
        given = [self.seen[proto.input[index]] for index in places]
        views = [seen.view for seen in given]
        constants = [self.constants[name] for name in proto.input if name in self.constants]
        shapes: list[Shape] = [constant.shape for constant in constants]
        match place:
            case Place.ANYWHERE:
                return given
            case Place.ALIGNED:
                wanted = aligned(views, shapes)
            case Place.TARGET:
                wanted = aligned(views, [tuple(int(size) for size in constants[0])])
            case Place.MATRICES:
                wanted = _as_matrices(proto, views, shapes)
            case Place.FIRST:
                wanted = [_moved(proto, view, 0) for view in views]
            case Place.SECOND:
                wanted = [_moved(proto, view, 1) for view in views]
        return [self._relaid(proto, seen, view) for seen, view in zip(given, wanted, strict=True)]

    def _relaid(self, proto: onnx.NodeProto, seen: _Seen, view: View) -> _Seen:
        """The same numbers under another view; a reshape where they are held differently."""
        ran = self.ran[seen.value]
        if view.held == tuple(ran.shape):
            return _Seen(seen.value, view)
        value = f"{seen.value} as {view.held}"
        if value not in self.ran:
            layer = Reshape(view.held[1:])
            self._step(proto.name, "Reshape", layer, ([seen.value], [value]))
            self.ran[value] = layer(ran)
        return _Seen(value, view)

    def _became_bias(self, layer: nn.Module, value: str) -> bool:
        """Give an added constant to the layer before it, if nobody else reads that."""
        step = self.steps[-1] if self.steps else None
        if step is None or step.outputs != (value,):
            return False
        names = [name for name, seen in self.seen.items() if seen.value == value]
        if sum(self.readers.get(name, 0) for name in names) - (len(names) - 1) != 1:
            return False
        before = self.layers[step.layer]
        if sum(other.layer == step.layer for other in self.steps) > 1:
            return False
        became = became_bias(before, layer)
        if became:
            self.biased.add(before)
        return became


def _unmoved(layer: nn.Module, node: Node) -> Reading:
    """The rows stay where the first input has them, in every output."""
    return Reading(layer=layer, rows=(node.view.rows,) * max(len(node.proto.output), 1))


def _as_matrices(proto: onnx.NodeProto, views: list[View], shapes: list[Shape]) -> list[View]:
    if any(len(shape) < 2 for shape in shapes) or any(len(view.shape) < 2 for view in views):
        return views
    if len(views) == 1 and len(shapes[0]) == 2:
        return views
    for view in views:
        if view.rows is not None and view.rows >= len(view.shape) - 2:
            rest = len(view.shape) - view.rows
            if rest == 1 or len(views) == 2:
                raise refusal(proto, "it works across rows")
    return aligned(views, shapes, tail=2)


def _moved(proto: onnx.NodeProto, view: View, axis: int) -> View:
    if len(view.shape) <= axis or view.shape[axis] != 1:
        raise refusal(proto, "it does not keep the rows apart")
    return View(shape=view.shape, rows=axis)
