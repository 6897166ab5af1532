"""Every command there is, walked with -o json: stdout is one JSON document and nothing else."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from shoal.cli import verbs
from shoal.resources import parsing
from tests.unit.cli import controllers, fleet, inference_server
from tests.unit.cli.conftest import Shoal
from tests.unit.cli.controllers import Controller

MANIFEST = """
apiVersion: shoal/v1
kind: DeviceProfile
metadata: {name: small}
spec: {selector: {matchLabels: {tier: small}}, budget: {artifact: 64KiB}}
"""

# The exit code of each line, on a fleet in which nothing is wrong. What comes later may rest on
# what came before.
LINES = (
    (0, "apply -f {folder}"),
    (0, "plan -f {folder}"),
    (0, "diff -f {folder}"),
    (0, "get devices"),
    (0, "get device cam-1"),
    (0, "describe deployment digits"),
    (0, "why cam-1"),
    (0, "why digits"),
    (0, "events"),
    (0, "rollout status digits"),
    (0, "rollout history digits"),
    (0, "rollout pause digits"),
    (0, "rollout resume digits --follow"),
    (0, "rollout abort digits"),
    (0, "rollout promote digits"),
    (0, "rollout retry digits"),
    (0, "rollout undo digits"),
    (0, "wait device cam-1 --for condition=Ready"),
    (0, "label device cam-1 place=north"),
    (0, "delete deviceprofile small"),
    (0, "device approve cam-2"),
    (0, "device drain cam-2"),
    (0, "device revoke cam-2"),
    (0, "infer cam-1 --input {folder}/rows.npz"),
    (0, "model import {folder}/digits.onnx"),
    (0, "variant compare aaaa bbbb"),
    (0, "token create"),
    (0, "audit"),
    (0, "audit --verify"),
    (0, "explain deployment.spec.strategy"),
    (0, "schema deployment"),
    (0, "doctor"),
    (0, "completion bash"),
    (0, "context set lab --server http://lab:1"),
    (0, "context use lab"),
    (0, "context show"),
    (0, "context list"),
    (0, "context delete lab"),
    (0, "version"),
    # Verbs of other packages run for long; their usage errors keep the shape.
    *((2, f"{verb} --bogus") for verb in verbs.command_names() if verb in verbs.FOREIGN),
)


def commands() -> Iterator[str]:
    """Every command that this program has."""
    for verb in verbs.command_names():
        inside = getattr(verbs.find(verb), "commands", None)
        yield from [f"{verb} {name}" for name in inside] if inside else [verb]


def whole_spec(resource: dict[str, Any]) -> dict[str, Any]:
    """The spec with every default, as the API stores it."""
    written = {key: resource[key] for key in ("apiVersion", "kind", "spec")}
    name = {"name": resource["metadata"]["name"]}
    return parsing.parse({**written, "metadata": name}).spec


@pytest.fixture
def controller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Controller]:
    """A fleet of which one device serves."""
    with (
        inference_server.serving() as engine,
        controllers.serving(tmp_path / "blobs") as running,
    ):
        device = fleet.a_device("cam-1", app="reader")
        device["status"]["servingUrl"] = engine.address
        variants = [
            fleet.a_resource(
                "Variant", name, {"model": "digits"}, {"digest": f"sha256:{name * 16}"}
            )
            for name in ("aaaa", "bbbb")
        ]
        complete = fleet.a_deployment("complete", following=False)
        complete["spec"] = whole_spec(complete)
        running.store([device, fleet.a_device("cam-2"), complete, *variants])
        running.store([fleet.an_event("one")])
        monkeypatch.setenv("SHOAL_SERVER", running.address)
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Manifests, a model and rows."""
    path = tmp_path / "files"
    path.mkdir()
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", [value], [out])
    onnx.save_model(helper.make_model(graph), str(path / "digits.onnx"))
    np.savez(path / "rows.npz", x=np.array([[1.0, 2.0]], np.float32))
    (path / "profile.yaml").write_text(MANIFEST)
    return path


def test_every_command_prints_one_json_document(
    shoal: Shoal, controller: Controller, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOAL_SERVER", controller.address)
    for code, line in LINES:
        controller.catch_up()
        ran = shoal(*line.format(folder=folder).split(), "-o", "json")
        assert ran.code == code, (line, ran.out, ran.err)
        told: Any = json.loads(ran.out)
        assert isinstance(told, dict), line
        assert ("error" in told) == (code != 0), line


def test_the_walk_leaves_no_command_out() -> None:
    walked = {line for _code, line in LINES}
    missed = {
        one for one in commands() if not any(f"{line} ".startswith(f"{one} ") for line in walked)
    }
    assert missed == set()


@pytest.mark.parametrize("command", sorted(commands()))
def test_every_command_is_documented_with_an_example(shoal: Shoal, command: str) -> None:
    ran = shoal(*command.split(), "--help")
    assert ran.code == 0
    assert "Example: shoal " in ran.out
    assert max(len(line) for line in ran.out.splitlines()) <= 80


@pytest.mark.parametrize("command", sorted(commands()))
def test_every_command_refuses_an_unknown_option_in_json(shoal: Shoal, command: str) -> None:
    ran = shoal(*command.split(), "--no-such-option", "-o", "json")
    assert ran.code == 2
    assert set(ran.json["error"]) >= {"reason", "message", "hint"}
