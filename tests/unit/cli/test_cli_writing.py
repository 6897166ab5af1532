"""apply, delete, label, token, wait: what they ask of the controller and how they end."""

import io
import json
from pathlib import Path
from types import SimpleNamespace

import onnx
import pytest
from onnx import TensorProto, helper

from shoal.contract import digest
from tests.unit.cli import fleet
from tests.unit.cli.conftest import Shoal
from tests.unit.client.api_server import ApiServer

MODEL = """
apiVersion: shoal/v1
kind: Model
metadata: {name: digits}
spec:
  source: teacher.onnx
  assets: [labels.txt]
  data: {calibration: calibration.npz, evaluation: evaluation.npz, golden: 360}
"""
DEPLOYMENT = """
apiVersion: shoal/v1
kind: Deployment
metadata: {name: digits}
spec: {model: digits, selector: {matchLabels: {app: reader}}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", [value], [out])
    onnx.save_model(helper.make_model(graph), str(tmp_path / "teacher.onnx"))
    for name in ("calibration.npz", "evaluation.npz", "labels.txt"):
        (tmp_path / name).write_text(name)
    (tmp_path / "b-model.yaml").write_text(MODEL)
    (tmp_path / "a-deployment.yaml").write_text(DEPLOYMENT)
    return tmp_path


def test_apply_uploads_files_and_sends_digests(api: ApiServer, shoal: Shoal, folder: Path) -> None:
    ran = shoal("apply", "-f", str(folder))
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == "model/digits created\ndeployment/digits created\n"
    spec = api.resources["Model", "default", "digits"]["spec"]
    source = digest.of_file(folder / "teacher.onnx")
    assert spec["source"] == source
    assert api.blobs[source] == (folder / "teacher.onnx").read_bytes()
    assert spec["data"]["calibration"] == digest.of_bytes(b"calibration.npz")
    assert spec["assets"] == [f"labels.txt={digest.of_bytes(b'labels.txt')}"]


def test_the_unchanged_file_changes_nothing(shoal: Shoal, folder: Path) -> None:
    shoal("apply", "-f", str(folder))
    again = shoal("apply", "-f", str(folder), "-o", "json").json
    assert [item["result"] for item in again["items"]] == ["unchanged", "unchanged"]


def test_a_dry_run_says_so_and_stores_nothing(api: ApiServer, shoal: Shoal, folder: Path) -> None:
    ran = shoal("apply", "-f", str(folder / "a-deployment.yaml"), "--dry-run", "server")
    assert ran.out == "deployment/digits created (dry run)\nno deployment is touched\n"
    assert not api.resources


def test_a_dry_run_uploads_nothing(api: ApiServer, shoal: Shoal, folder: Path) -> None:
    ran = shoal("apply", "-f", str(folder), "--dry-run", "server", "-o", "json")
    assert (ran.code, ran.json["dryRun"], api.blobs) == (0, True, {})
    source = digest.of_file(folder / "teacher.onnx")
    assert ran.json["items"][0]["object"]["spec"]["source"] == source
    assert ran.json["plan"] == {"items": [], "searches": []}


def test_a_warning_is_told_beside_the_data(api: ApiServer, shoal: Shoal, folder: Path) -> None:
    api.warnings = ["the selector matches no device yet"]
    ran = shoal("apply", "-f", str(folder / "a-deployment.yaml"), "-o", "json")
    assert ran.code == 0
    assert ran.json["items"][0]["warnings"] == api.warnings
    assert "warning: deployment/digits: the selector matches no device yet" in ran.err


def test_a_namespace_of_the_line_is_the_default(api: ApiServer, shoal: Shoal, folder: Path) -> None:
    shoal("apply", "-n", "lab", "-f", str(folder / "a-deployment.yaml"))
    assert ("Deployment", "lab", "digits") in api.resources


def test_apply_reads_standard_input(
    api: ApiServer, shoal: Shoal, monkeypatch: pytest.MonkeyPatch
) -> None:
    stdin = SimpleNamespace(buffer=io.BytesIO(DEPLOYMENT.encode()), isatty=lambda: False)
    monkeypatch.setattr("sys.stdin", stdin)
    assert shoal("apply", "-f", "-").code == 0
    assert ("Deployment", "default", "digits") in api.resources


def test_a_misspelling_is_answered_with_place_and_name(shoal: Shoal, folder: Path) -> None:
    path = folder / "bad.yaml"
    path.write_text(DEPLOYMENT.replace("model:", "modle:"))
    error = shoal("apply", "-f", str(path), "-o", "json").json["error"]
    assert error["reason"] == "UnknownField"
    assert error["location"] == f"{path}:5:8"
    assert error["hint"] == "did you mean model?"


def test_every_problem_is_told_before_anything_is_sent(
    api: ApiServer, shoal: Shoal, folder: Path
) -> None:
    path = folder / "bad.yaml"
    path.write_text(f"{MODEL}---{DEPLOYMENT.replace('model:', 'modle:')}---\nkind: Pod\n")
    (folder / "evaluation.npz").unlink()
    ran = shoal("apply", "-f", str(path))
    assert ran.code == 2
    assert ran.err.count("error: ") == 5
    assert all("GET" in one for one in api.requests)


def test_what_shoal_writes_is_not_applied(shoal: Shoal, folder: Path) -> None:
    path = folder / "bad.json"
    path.write_text(json.dumps(fleet.an_event("mine")))
    ran = shoal("apply", "-f", str(path))
    assert ran.code == 2
    assert "written by Shoal" in ran.err


def test_a_missing_file_is_named_where_it_is_written(
    api: ApiServer, shoal: Shoal, folder: Path
) -> None:
    (folder / "evaluation.npz").unlink()
    ran = shoal("apply", "-f", str(folder / "b-model.yaml"), "-o", "json")
    assert ran.code == 3
    assert ran.json["error"]["location"] == f"{folder / 'b-model.yaml'}:8:52"
    assert ran.json["error"]["field"] == "spec.data.evaluation"
    assert not api.requests


def test_a_truncated_model_is_refused_before_it_is_sent(
    api: ApiServer, shoal: Shoal, folder: Path
) -> None:
    model = folder / "teacher.onnx"
    model.write_bytes(model.read_bytes()[:-10])
    error = shoal("apply", "-f", str(folder / "b-model.yaml"), "-o", "json").json["error"]
    assert error["reason"] == "TruncatedModel"
    assert not api.requests


@pytest.mark.parametrize("line", ["apply -f nowhere.yaml", "apply -f {empty}"])
def test_manifests_that_are_not_there_exit_3(shoal: Shoal, tmp_path: Path, line: str) -> None:
    assert shoal(*line.format(empty=tmp_path).split()).code == 3


def test_deleted_means_gone(api: ApiServer, shoal: Shoal) -> None:
    api.store(fleet.a_deployment())
    assert shoal("delete", "deployment", "digits").out == "deployment/digits deleted\n"
    assert not api.resources
    assert shoal("delete", "deployment", "digits").code == 3


def test_what_output_name_prints_can_be_deleted(api: ApiServer, shoal: Shoal) -> None:
    for name in ("cam-1", "cam-2"):
        api.store(fleet.a_device(name))
    names = shoal("get", "devices", "-o", "name").out.split()
    assert names == ["device/cam-1", "device/cam-2"]
    assert shoal("delete", "device/cam-1", "model/digits").code == 2
    assert shoal("delete", *names).code == 0
    assert not api.resources


def test_labels_are_set_and_removed_through_conflicts(api: ApiServer, shoal: Shoal) -> None:
    api.store(fleet.a_device("cam-1", old="yes"))
    api.conflicts_to_come = 2
    ran = shoal("label", "device", "cam-1", "tier=small", "old-")
    assert ran.out == "device/cam-1 labelled\n"
    assert api.resources["Device", "default", "cam-1"]["metadata"]["labels"] == {"tier": "small"}


def test_a_token_is_alone_on_stdout(api: ApiServer, shoal: Shoal) -> None:
    ran = shoal("token", "create", "--ttl", "2h", "--uses", "9", "--labels", "tier=small,a=b")
    assert ran.out == "join-me\n"
    assert api.bodies == [
        {"ttl": "2h", "uses": 9, "labels": {"tier": "small", "a": "b"}, "approve": "auto"}
    ]


def test_wait_ends_when_the_condition_holds(api: ApiServer, shoal: Shoal) -> None:
    api.store(fleet.a_device(ready="False"))
    with api.once_watched(fleet.a_device(ready="True")):
        ran = shoal("wait", "device", "cam-1", "--for", "condition=Ready", "--timeout", "30s")
    assert (ran.code, ran.out) == (0, "device/cam-1 condition=Ready met\n")


def test_wait_that_is_in_vain_exits_5_and_says_why(api: ApiServer, shoal: Shoal) -> None:
    api.store(fleet.a_device(ready="False"))
    ran = shoal("wait", "device", "cam-1", "--timeout", "200ms", "-o", "json")
    assert ran.code == 5
    assert ran.json["error"]["reason"] == "TimedOut"
    assert "Ready is False (Enrolled: it reports)" in ran.json["error"]["message"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("device cam-1 --for condition=ready", "did you mean Ready?"),
        ("device cam-1 --for condition=Nope", "choose one of Ready"),
        ("event one --for condition=Ready", "events have no conditions"),
    ],
)
def test_a_condition_that_there_is_not_is_refused_at_once(
    api: ApiServer, shoal: Shoal, line: str, said: str
) -> None:
    api.store(fleet.a_device())
    api.store(fleet.an_event("one"))
    ran = shoal("wait", *line.split(), "--timeout", "30s")
    assert (ran.code, said in ran.err) == (2, True), ran.err


def test_wait_for_delete_ends_when_it_is_gone(shoal: Shoal) -> None:
    ran = shoal("wait", "device", "cam-1", "--for", "delete", "-o", "json")
    assert ran.code == 0
    assert ran.json["deleted"][0]["name"] == "cam-1"


def test_a_watched_list_is_ndjson(
    api: ApiServer, shoal: Shoal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_arguments: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("shoal.client.resources.Resources.pulses", interrupt)
    api.store(fleet.a_device())
    ran = shoal("get", "devices", "-w", "-o", "json")
    assert ran.code == 130
    first, last = (json.loads(line) for line in ran.out.splitlines())
    assert (first["type"], first["object"]["metadata"]["name"]) == ("ADDED", "cam-1")
    assert last["error"]["reason"] == "Interrupted"


def test_a_watched_table_grows(
    api: ApiServer, shoal: Shoal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_arguments: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("shoal.client.resources.Resources.pulses", interrupt)
    api.store(fleet.a_device())
    titles, row = shoal("get", "devices", "-w").out.splitlines()
    assert titles.split()[:2] == ["CHANGE", "NAME"]
    assert row.split()[:2] == ["ADDED", "cam-1"]
    assert row.startswith("ADDED     cam-1")  # room for MODIFIED, so that no row shifts later
    assert shoal("events", "-w").code == 130


@pytest.mark.parametrize("line", ["get devices", "get device cam-1", "events"])
def test_a_watch_ends_with_its_timeout(api: ApiServer, shoal: Shoal, line: str) -> None:
    api.store(fleet.a_device())
    ran = shoal(*line.split(), "-w", "--timeout", "100ms", "-o", "json")
    assert ran.code == 5
    assert json.loads(ran.out.splitlines()[-1])["error"]["reason"] == "TimedOut"


@pytest.mark.parametrize("line", ["get devices -w", "events -w", "rollout status digits -w"])
def test_a_watch_of_nobody_ends_at_once(shoal: Shoal, line: str) -> None:
    ran = shoal(*line.split(), "--server", "http://127.0.0.1:1")
    assert ran.code == 5
    assert "Connection refused" in ran.err


def test_fields_of_others_are_taken_over_with_force(
    api: ApiServer, shoal: Shoal, folder: Path
) -> None:
    assert shoal("apply", "-f", str(folder / "a-deployment.yaml"), "--force").code == 0
    assert "force=1" in api.requests[-1]
