"""What cannot be taken back: asked about on a terminal, and done at once in a script."""

import io
import json
import sys
from pathlib import Path

import pytest

from tests.unit.cli import fleet
from tests.unit.cli.conftest import Shoal
from tests.unit.client.api_server import ApiServer


class Terminal(io.StringIO):
    """Somebody who types one line."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _fleet(api: ApiServer) -> None:
    api.store(fleet.a_deployment())
    api.store(fleet.a_model())
    for name in ("cam-1", "cam-2"):
        api.store(fleet.a_device(name))


DESTRUCTIVE = (
    ("delete deployment digits", 9),
    ("delete model digits", 2),
    ("delete device cam-1 cam-2", 2),
    ("rollout abort digits", 9),
    ("rollout undo digits", 9),
    ("rollout promote digits --full", 9),
    ("device revoke cam-1", 1),
    ("device drain cam-1 cam-2", 2),
)


@pytest.mark.parametrize(("line", "devices"), DESTRUCTIVE)
def test_the_number_of_devices_is_to_be_typed(
    monkeypatch: pytest.MonkeyPatch, shoal: Shoal, line: str, devices: int
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(f"{devices}\n"))
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert shoal(*line.split()).code == 0


@pytest.mark.parametrize(("line", "devices"), DESTRUCTIVE)
@pytest.mark.parametrize("answer", ["\n", "", "y\n"])
def test_anything_else_changes_nothing(
    api: ApiServer,
    monkeypatch: pytest.MonkeyPatch,
    shoal: Shoal,
    line: str,
    devices: int,
    answer: str,
) -> None:
    asked = Terminal()
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    monkeypatch.setattr(sys, "stderr", asked)
    before = dict(api.resources)
    ran = shoal(*line.split(), "-o", "json")
    assert (ran.code, ran.json["error"]["reason"]) == (1, "Declined")
    assert f"Type {devices} to go on" in asked.getvalue()
    assert api.resources == before
    assert not [one for one in api.requests if "GET" not in one]


@pytest.mark.parametrize(("line", "_devices"), DESTRUCTIVE)
def test_yes_asks_nothing(
    monkeypatch: pytest.MonkeyPatch, shoal: Shoal, line: str, _devices: int
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(""))
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert shoal(*line.split(), "--yes").code == 0


def test_what_reaches_no_device_is_not_asked_about(
    monkeypatch: pytest.MonkeyPatch, api: ApiServer, shoal: Shoal
) -> None:
    api.store(fleet.a_resource("DeviceProfile", "unused", {"priority": 0}))
    monkeypatch.setattr(sys, "stdin", Terminal(""))
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert shoal("delete", "deviceprofile", "unused").code == 0


@pytest.mark.parametrize("verb", ["approve", "drain", "revoke"])
def test_devices_are_decided_by_name(api: ApiServer, shoal: Shoal, verb: str) -> None:
    ran = shoal("device", verb, "cam-1", "device/cam-2", "-o", "json")
    assert ran.code == 0
    assert [one["metadata"]["name"] for one in ran.json["items"]] == ["cam-1", "cam-2"]
    posts = [one for one in api.requests if one.startswith('"POST')]
    assert f"/namespaces/default/devices/cam-2/{verb}" in posts[1]
    assert shoal("device", verb, "nobody").code == 3


def test_deleting_with_cascade_says_so(api: ApiServer, shoal: Shoal) -> None:
    assert shoal("delete", "model", "digits", "--cascade").code == 0
    assert "cascade=1" in api.requests[-1]


def test_the_audit_log_is_told_oldest_first(api: ApiServer, shoal: Shoal) -> None:
    api.entries = [
        fleet.an_entry(2, user="bob", verb="abort"),
        fleet.an_entry(1, user="ada", verb="apply"),
    ]
    lines = shoal("audit").out.splitlines()
    assert [line.split()[1] for line in lines] == ["USER", "ada", "bob"]
    newest = shoal("audit", "deployment", "digits", "--user", "bob", "--limit", "1", "-o", "json")
    assert [one["spec"]["verb"] for one in newest.json["items"]] == ["abort"]
    assert "user=bob&kind=Deployment&name=digits" in api.requests[-1]


def test_an_empty_audit_log_says_so(shoal: Shoal) -> None:
    assert shoal("audit").err == "nothing was done yet\n"
    assert shoal("audit", "-o", "json").json == {"items": [], "continue": None}


@pytest.mark.parametrize("answer", ["no\n", ""])
def test_a_download_that_nobody_agreed_to_is_declined(
    monkeypatch: pytest.MonkeyPatch, shoal: Shoal, tmp_path: Path, answer: str
) -> None:
    model = {
        "source": "http://127.0.0.1:1/x.onnx",
        "data": {name: f"sha256:{name[:1] * 64}" for name in ("calibration", "evaluation")},
    }
    manifest = {"apiVersion": "shoal/v1", "kind": "Model", "metadata": {"name": "digits"}}
    (tmp_path / "model.json").write_text(json.dumps({**manifest, "spec": model}))
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    monkeypatch.setattr(sys, "stderr", asked := Terminal())
    assert shoal("apply", "-f", str(tmp_path / "model.json")).code == 1
    assert asked.getvalue().startswith("fetch http://127.0.0.1:1/x.onnx?")
    assert "[Declined]" in asked.getvalue()
    monkeypatch.setattr(sys, "stdin", Terminal("yes\n"))
    monkeypatch.setattr(sys, "stderr", asked := Terminal())
    assert shoal("apply", "-f", str(tmp_path / "model.json")).code == 1
    assert "[FetchFailed]" in asked.getvalue()


def test_a_cascade_names_what_went_with_the_model(api: ApiServer, shoal: Shoal) -> None:
    pinned = fleet.a_resource("Deployment", "night", {"model": "digits@1"})
    other = fleet.a_resource("Deployment", "other", {"model": "letters"})
    for one in (pinned, other):
        api.store(one)
    ran = shoal("delete", "model", "digits", "--cascade", "--yes")
    assert ran.out.splitlines() == [
        "deployment/digits deleted",
        "deployment/night deleted",
        "model/digits deleted",
    ]


def test_a_whole_audit_log_is_verified(api: ApiServer, shoal: Shoal) -> None:
    api.proof = {"intact": True, "entries": 7, "broken": None, "noted": None, "head": fleet.DIGEST}
    assert shoal("audit", "--verify").out == f"intact: 7 entries, the newest is {fleet.DIGEST}\n"
    assert shoal("audit", "--verify", "--user", "bob").code == 2


def test_a_changed_audit_log_is_named_with_its_entry(api: ApiServer, shoal: Shoal) -> None:
    api.proof = {"intact": False, "entries": 7, "broken": 3, "noted": None, "head": fleet.DIGEST}
    ran = shoal("audit", "--verify", "-o", "json")
    assert (ran.code, ran.json["error"]["reason"]) == (1, "DigestMismatch")
    assert "entry 3 of the audit log" in ran.json["error"]["message"]


@pytest.mark.parametrize(
    ("line", "done"),
    [
        ("device drain cam-1 nobody", "device/cam-1 drained"),
        ("delete device cam-1 nobody", "device/cam-1 deleted"),
    ],
)
def test_what_was_done_before_something_went_wrong_is_told(
    shoal: Shoal, line: str, done: str
) -> None:
    ran = shoal(*line.split(), "-o", "json")
    assert ran.code == 3
    assert f"(done before that: {done})" in ran.json["error"]["message"]
