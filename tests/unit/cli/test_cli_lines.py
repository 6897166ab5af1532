"""Command lines: global options anywhere, errors in the shape that was asked for."""

import json
import subprocess
import sys

import pytest

from shoal.cli import invocation, verbs
from shoal.client.client import DEFAULT_SERVER
from shoal.contract.problem import InvalidError
from tests.unit.cli.conftest import Shoal

FOREIGN = frozenset({"serve"})


@pytest.mark.parametrize(
    "line",
    [
        "-n lab -o json get devices --timeout 5s",
        "get -nlab devices -ojson --timeout=5s",
        "get devices --namespace lab --output=json --timeout 5s",
        "get devices --namespace=lab -o=json --timeout=5s",
    ],
)
def test_global_options_stand_anywhere(line: str) -> None:
    parsed = invocation.parse(line.split())
    assert (parsed.namespace, parsed.output, parsed.timeout_s) == ("lab", "json", 5.0)
    assert parsed.rest == ("get", "devices")


def test_all_namespaces_are_none() -> None:
    assert invocation.parse(["get", "devices", "-A"]).namespace is None
    with pytest.raises(InvalidError, match="one namespace"):
        _ = invocation.parse(["-A"]).one_namespace


def test_the_server_is_named_by_option_then_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SHOAL_SERVER", raising=False)
    assert invocation.parse([]).server == invocation.DEFAULT_SERVER == DEFAULT_SERVER
    monkeypatch.setenv("SHOAL_SERVER", "http://there:1")
    assert invocation.parse([]).server == "http://there:1"
    assert invocation.parse(["--server", "http://here:2"]).server == "http://here:2"


def test_options_after_a_foreign_verb_are_its_own() -> None:
    parsed = invocation.parse(["-v", "serve", "-n", "3", "-o", "json"], FOREIGN)
    assert parsed.rest == ("serve", "-n", "3", "-o", "json")
    assert parsed.verbose


def test_nothing_is_read_after_two_hyphens() -> None:
    assert invocation.parse(["get", "--", "-A"]).rest == ("get", "--", "-A")


@pytest.mark.parametrize(
    "line",
    [
        "-o",
        "--timeout soon get devices",
        "-A -n lab get devices",
        "get devices -n",
        "get",
        "get pods",
        "gte devices",
        "--colour get devices",
        "get devices --bogus",
        "describe device",
        "describe device a b",
        "delete devices",
        "label device cam-1",
        "wait device cam-1 --for Ready",
        "token create --uses none",
        "token create --labels nonsense",
        "token destroy",
        "rollout undo digits --to-revision 0",
        "rollout",
        "apply",
        "apply -f x.yaml --dry-run client",
        "explain pod",
        "get device cam-1 -A",
    ],
)
def test_a_wrong_line_is_a_usage_error_in_either_output(shoal: Shoal, line: str) -> None:
    ran = shoal(*line.split())
    assert ran.code == 2
    assert ran.out == ""
    assert ran.err.startswith("error: ")
    in_json = shoal("-o", "json", *line.split())
    assert in_json.code == 2
    assert set(in_json.json["error"]) >= {"reason", "message"}
    assert in_json.err == ""


def test_a_line_without_a_command_is_help_or_an_error(shoal: Shoal) -> None:
    assert "Commands:" in shoal().out
    assert shoal("-o", "json").json["error"]["message"] == "no command was given"


def test_an_unknown_output_is_a_usage_error(shoal: Shoal) -> None:
    ran = shoal("get", "devices", "-o", "xml")
    assert ran.code == 2
    assert "one of table, wide, json, yaml, name" in ran.err


def test_an_unknown_output_of_the_demo_is_refused_before_it_starts(shoal: Shoal) -> None:
    ran = shoal("demo", "-o", "xml")
    assert ran.code == 2
    assert "'xml' is not one of 'text', 'json'" in ran.err


def test_nobody_there_exits_5_and_says_what_to_do(shoal: Shoal) -> None:
    ran = shoal("get", "devices", "--server", "http://127.0.0.1:1", "-o", "json")
    assert ran.code == 5
    assert ran.json["error"]["reason"] == "Unreachable"
    assert "http://127.0.0.1:1" in ran.json["error"]["message"]
    assert "shoal serve" in ran.json["error"]["hint"]


@pytest.mark.parametrize(
    "verb", [*verbs.BUILT_IN, "rollout status", "token create", "variant compare"]
)
def test_every_verb_has_help_with_an_example(shoal: Shoal, verb: str) -> None:
    ran = shoal(*verb.split(), "--help")
    assert ran.code == 0
    assert "Example: shoal" in ran.out


def test_an_absent_extra_is_one_line(shoal: Shoal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        verbs.OPTIONAL, "serve", ("run the controller", "controller", "no_such_module")
    )
    ran = shoal("serve", "--data", "/tmp/x")
    assert ran.code == 2
    assert "pip install 'shoal[controller]'" in ran.err
    assert "run the controller" not in shoal("--help").out


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import json, sys; from shoal.cli import main; main.run(['--help']); "
        "print('\\n' + json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    heavy = {"numpy", "grpc", "sqlalchemy", "sqlmodel", "fastapi", "httpx", "pydantic", "torch"}
    assert not loaded & heavy


def test_a_mistake_of_ours_keeps_the_shape(shoal: Shoal, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object, **_options: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("shoal.client.resources.Resources.pages", fail)
    ran = shoal("get", "devices", "-o", "json")
    assert ran.code == 1
    assert ran.json["error"]["reason"] == "Internal"
    assert "Traceback" in ran.err


def test_ctrl_c_exits_130(shoal: Shoal, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_arguments: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("shoal.client.resources.Resources.pages", interrupt)
    ran = shoal("get", "devices", "-o", "json")
    assert ran.code == 130
    assert ran.json["error"]["reason"] == "Interrupted"
