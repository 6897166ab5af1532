"""Two people who apply parts of one resource, against the real API."""

from collections.abc import Callable, Iterator
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from tests.unit.cli import controllers
from tests.unit.cli.conftest import Shoal

_HEAD = "apiVersion: shoal/v1\nkind: {kind}\nmetadata: {{name: digits}}\nspec: {spec}\n"
_ANN = "{model: digits, selector: {matchLabels: {app: reader}}, strategy: {quorum: 50%}}"

Write = Callable[..., str]


@pytest.fixture(autouse=True)
def _controller(
    shoal: Shoal,  # noqa: ARG001 - it names a smaller server, so it must be first
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[None]:
    with controllers.serving(tmp_path / "data") as running:
        monkeypatch.setenv("SHOAL_SERVER", running.address)
        yield


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """A manifest of a Deployment, or of another kind, with this spec."""

    def to_file(spec: str, kind: str = "Deployment") -> str:
        path = tmp_path / "part.yaml"
        path.write_text(_HEAD.format(kind=kind, spec=spec))
        return str(path)

    return to_file


@pytest.fixture
def ann(shoal: Shoal, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ann has applied a Deployment; from now on Bob is at the keyboard."""
    monkeypatch.setenv("SHOAL_USER", "ann")
    assert shoal("apply", "-f", write(_ANN)).code == 0
    monkeypatch.setenv("SHOAL_USER", "bob")


@pytest.mark.usefixtures("ann")
def test_a_part_is_applied_to_what_somebody_else_applied(shoal: Shoal, write: Write) -> None:
    ran = shoal("apply", "-f", write("{strategy: {ratePerMinute: 5}}"))
    assert (ran.code, ran.out) == (0, "deployment/digits configured\n"), ran.err
    spec = shoal("get", "deployment", "digits", "-o", "json").json["spec"]
    assert (spec["model"], spec["strategy"]["ratePerMinute"]) == ("digits", 5)
    assert spec["strategy"]["quorum"] == "50%"


@pytest.mark.usefixtures("ann")
@pytest.mark.parametrize(
    ("line", "code"), [("diff -f", 1), ("plan -f", 0), ("apply --dry-run server -f", 0)]
)
def test_a_part_can_be_looked_at_before(shoal: Shoal, write: Write, line: str, code: int) -> None:
    ran = shoal(*line.split(), write("{strategy: {ratePerMinute: 5}}"))
    assert ran.code == code, ran.err
    spec = shoal("get", "deployment", "digits", "-o", "json").json["spec"]
    assert spec["strategy"]["ratePerMinute"] is None


@pytest.mark.usefixtures("ann")
def test_a_wrong_value_in_a_part_is_refused_with_its_place_alone(
    shoal: Shoal, write: Write
) -> None:
    path = write("{strategy: {ratePerMinute: often}}")
    ran = shoal("apply", "-f", path)
    assert ran.code == 2
    assert f"{path}:4:" in ran.err
    assert "required" not in ran.err


@pytest.mark.usefixtures("ann")
def test_a_list_is_one_field_and_given_whole(shoal: Shoal, write: Write) -> None:
    ran = shoal("apply", "-f", write("{strategy: {waves: [{name: canary}]}}"))
    assert ran.code == 2
    assert "spec.strategy.waves[0].size is required" in ran.err


def test_a_part_of_what_does_not_exist_is_refused_with_what_is_missing(
    shoal: Shoal, write: Write
) -> None:
    path = write("{strategy: {ratePerMinute: 5}}")
    ran = shoal("apply", "-f", path)
    assert ran.code == 2
    assert "spec.model is required" in ran.err
    assert f"{path}:4:" in ran.err


def test_a_part_of_a_model_needs_none_of_its_files(
    shoal: Shoal, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("calibration.npz", "evaluation.npz"):
        (tmp_path / name).write_text(name)
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", [value], [out])
    onnx.save_model(helper.make_model(graph), str(tmp_path / "teacher.onnx"))
    data = "{calibration: calibration.npz, evaluation: evaluation.npz}"
    whole = write(f"{{source: teacher.onnx, data: {data}}}", "Model")
    assert shoal("apply", "-f", whole).code == 0
    monkeypatch.setenv("SHOAL_USER", "bob")
    ran = shoal("apply", "-f", write("{quality: {maxDrop: 0.02}}", "Model"))
    assert ran.code == 0, ran.err
    assert ran.out == "model/digits configured\n"
