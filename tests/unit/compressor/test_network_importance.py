"""Which channels go, by weights, gradients and curvature, and how much each group gives up."""

import numpy as np
import pytest
import torch

from shoal.compressor.network import budgeting, importance, narrowing, parity
from shoal.compressor.network.cut import Cut, Importance, Scope
from shoal.compressor.network.graph import Network
from shoal.compressor.network.groups import coupling_groups
from shoal.compressor.network.importance import Evidence
from shoal.compressor.passes.protocol import PassError
from tests.unit.compressor.layered import IMAGES, Builder

ROW = (torch.from_numpy(IMAGES["x"][:1]),)
EVIDENCE = Evidence(inputs={"x": torch.from_numpy(IMAGES["x"])}, labels=None, output="y", seed=0)


def two_convolutions(*, deaf: tuple[int, ...] = ()) -> Network:
    """Conv 8, Conv 12, head; the second does not hear the first's channels in `deaf`."""
    build = Builder()
    build.conv("x", "a", 8, 3, 3, 3)
    build.add("Relu", ["a"], "b")
    build.conv("b", "c", 12, 8, 3, 3)
    build.add("Relu", ["c"], "d")
    build.head("d", 12)
    network = build.network()
    with torch.no_grad():
        second = next(network.layers[step.layer] for step in network.steps if step.output == "c")
        assert isinstance(second, torch.nn.Conv2d)
        second.weight[:, list(deaf)] = 0
    return network


@pytest.mark.parametrize("kind", [Importance.TAYLOR, Importance.HESSIAN])
@pytest.mark.parametrize("labelled", [True, False])
def test_channels_that_nobody_hears_go_first(kind: Importance, labelled: bool) -> None:  # noqa: FBT001 - a case
    network = two_convolutions(deaf=(1, 6))
    labels = torch.arange(40) % 5 if labelled else None
    evidence = Evidence(inputs=EVIDENCE.inputs, labels=labels, output="y", seed=0)
    before = network.values(["y"], evidence.inputs)[0]
    cut = Cut(ratio=0.0, scope=Scope.LAYER, multiple=1, importance=kind, ratios=(("the a", 0.25),))
    result = narrowing.narrow(network, ROW, cut, evidence)
    assert [(group.layers[0], group.kept) for group in result.groups] == [
        ("the a", 6),
        ("the c", 12),
    ]
    assert result.threshold == 0
    torch.testing.assert_close(network.values(["y"], evidence.inputs)[0], before)


def test_gradients_leave_no_trace_and_the_same_seed_the_same_channels() -> None:
    cut = Cut(ratio=0.5, scope=Scope.GLOBAL, multiple=1, importance=Importance.HESSIAN)
    first, second = two_convolutions(), two_convolutions()
    one, other = (narrowing.narrow(net, ROW, cut, EVIDENCE) for net in (first, second))
    assert one == other
    assert all(parameter.grad is None for parameter in first.parameters())


def test_a_score_without_classes_is_asked_in_any_direction() -> None:
    network = two_convolutions()
    regression = Evidence(inputs=EVIDENCE.inputs, labels=torch.zeros(200), output="y", seed=0)
    groups = coupling_groups(network, ROW)
    scores = importance.importances(network, groups, Importance.TAYLOR, regression)
    assert [len(score) for score in scores] == [8, 12]
    assert all(float(score.mean()) == pytest.approx(1) for score in scores)


def test_gradients_and_sensitivity_need_rows() -> None:
    for cut in (
        Cut(ratio=0.5, scope=Scope.LAYER, multiple=1, importance=Importance.TAYLOR),
        Cut(ratio=0.5, scope=Scope.SENSITIVITY, multiple=1),
    ):
        with pytest.raises(PassError, match="needs rows"):
            narrowing.narrow(two_convolutions(), ROW, cut)


def test_a_budget_by_sensitivity_spares_the_layer_that_matters() -> None:
    network = two_convolutions(deaf=(0, 1, 2, 3, 4, 5))
    before = network.values(["y"], EVIDENCE.inputs)[0]
    cut = Cut(ratio=0.4, scope=Scope.SENSITIVITY, multiple=1, importance=Importance.TAYLOR)
    result = narrowing.narrow(network, ROW, cut, EVIDENCE)
    first, second = result.sensitivity
    assert first.label == "the a"
    assert first.changes[1] == 0 < second.changes[0] < second.changes[1] < second.changes[2]
    assert result.groups[0].kept == 2
    moved = (network.values(["y"], EVIDENCE.inputs)[0] - before).square().mean()
    assert moved < 0.5 * before.square().mean()
    parity.export_checked(network, IMAGES)


def test_a_worked_example_of_sensitivity() -> None:
    entry = budgeting.Sensitivity(
        label="a", weights=10, shares=(0.25, 0.5, 0.75), changes=(0.1, 0.3, 0.5)
    )
    assert entry.change(0.375) == pytest.approx(0.2)
    assert entry.change(0.125) == pytest.approx(0.05)
    assert entry.change(0.875) == pytest.approx(0.6)
    groups = coupling_groups(two_convolutions(), ROW)
    assert [(one.label, len(one.channels)) for one in groups] == [("the a", 8), ("the c", 12)]


def test_silencing_gives_back_every_weight() -> None:
    network = two_convolutions()
    before = [parameter.clone() for parameter in network.parameters()]
    groups = coupling_groups(network, ROW)
    budgeting.measure(
        network,
        [(group, torch.arange(8.0)[: len(group.channels)]) for group in groups[:1]],
        EVIDENCE,
    )
    for parameter, value in zip(network.parameters(), before, strict=True):
        assert np.array_equal(parameter.detach().numpy(), value.detach().numpy())
