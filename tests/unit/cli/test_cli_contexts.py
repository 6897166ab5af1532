"""Contexts: which controller a command speaks to, and where that is written."""

import json
from pathlib import Path

import pytest

from shoal.cli import invocation
from tests.unit.cli.conftest import Shoal
from tests.unit.client.api_server import ApiServer


@pytest.fixture(autouse=True)
def _without_a_server(shoal: Shoal, monkeypatch: pytest.MonkeyPatch) -> None:
    del shoal  # which names one
    monkeypatch.delenv("SHOAL_SERVER")


def test_a_command_speaks_to_the_current_context(api: ApiServer, shoal: Shoal) -> None:
    made = shoal("context", "set", "lab", "--server", api.address, "-n", "edge")
    assert (made.code, made.out) == (0, "context/lab set\n")
    assert shoal("version").out.splitlines()[1] == f"controller 9.9.9 at {api.address}"
    assert invocation.parse(["get", "devices"]).namespace == "edge"
    assert invocation.parse(["get", "devices", "-n", "lab"]).namespace == "lab"


def test_option_then_environment_then_context(
    monkeypatch: pytest.MonkeyPatch, shoal: Shoal
) -> None:
    shoal("context", "set", "lab", "--server", "http://lab:1", "-n", "edge")
    shown = shoal("context", "show", "-o", "json").json
    assert shown == {
        "server": "http://lab:1",
        "namespace": "edge",
        "context": "lab",
        "because": "context lab",
    }
    monkeypatch.setenv("SHOAL_SERVER", "http://there:1")
    there = shoal("context", "show", "-o", "json").json
    assert (there["server"], there["because"]) == ("http://there:1", "SHOAL_SERVER")
    here = shoal("context", "show", "--server", "http://here:1", "-o", "json").json
    assert (here["server"], here["because"]) == ("http://here:1", "--server")


def test_the_namespace_of_a_context_stays_with_its_server(shoal: Shoal) -> None:
    shoal("context", "set", "lab", "--server", "http://lab:1", "-n", "edge")
    parsed = invocation.parse(["get", "devices", "--server", "http://else:1"])
    assert parsed.namespace == "default"


def test_contexts_are_listed_switched_changed_and_forgotten(shoal: Shoal, config: Path) -> None:
    shoal("context", "set", "lab", "--server", "http://lab:1")
    shoal("context", "set", "farm", "--server", "farm:2", "--use")
    listed = shoal("context", "list", "-o", "json").json["items"]
    assert [(one["name"], one["current"]) for one in listed] == [("farm", True), ("lab", False)]
    assert shoal("context", "use", "lab").code == 0
    assert shoal("context", "set", "lab", "-n", "edge").code == 0
    stored = json.loads(config.read_text())
    assert stored["contexts"]["lab"] == {"server": "http://lab:1", "namespace": "edge"}
    assert shoal("context", "delete", "lab").code == 0
    assert json.loads(config.read_text())["current"] is None
    assert shoal("context", "list").out.splitlines()[1].split() == ["farm", "http://farm:2", "-"]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("use lab", 3),
        ("delete lab", 3),
        ("set lab", 2),
        ("set a/b --server http://lab:1", 2),
        ("set lab --server ftp://lab", 2),
        ("rename lab", 2),
    ],
)
def test_wrong_lines_change_nothing(shoal: Shoal, config: Path, line: str, code: int) -> None:
    ran = shoal("context", *line.split(), "-o", "json")
    assert ran.code == code
    assert set(ran.json["error"]) >= {"reason", "message"}
    assert not config.exists()


@pytest.mark.parametrize("text", ["{", "[]", '{"contexts": {"lab": {}}, "current": null}'])
def test_a_broken_file_is_named_and_help_comes_all_the_same(
    shoal: Shoal, config: Path, text: str
) -> None:
    config.parent.mkdir(parents=True)
    config.write_text(text)
    ran = shoal("get", "devices", "-o", "json")
    assert (ran.code, ran.json["error"]["location"]) == (2, str(config))
    assert shoal("--help").code == 0
    assert shoal("get", "--help").code == 0
