"""The Python client against a real controller: what both sides agreed on holds over a socket."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from shoal.client import kinds
from shoal.client.client import Client, TokenRequest
from shoal.client.resources import Scope
from shoal.client.rollouts import Verb
from shoal.contract import digest as digests
from shoal.contract.problem import ConflictError, InvalidError, NotFoundError, ProblemError

DEADLINE_S = 60.0
PROFILE = {
    "apiVersion": "shoal/v1",
    "kind": "DeviceProfile",
    "metadata": {"name": "small", "labels": {"size": "s"}},
    "spec": {"budget": {"artifact": "24KiB"}},
}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    data = tmp_path_factory.mktemp("controller")
    shoal = Path(sys.executable).parent / "shoal"
    arguments = ["--listen", "127.0.0.1:0", "--listen-devices", "127.0.0.1:0", "--mqtt", "off"]
    process = subprocess.Popen([str(shoal), "serve", "--data", str(data), *arguments])
    end = time.monotonic() + DEADLINE_S
    while not (data / "endpoints.json").exists():
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.02)
    url = json.loads((data / "endpoints.json").read_text())["http"]
    with Client(url) as opened:
        yield opened
    process.send_signal(signal.SIGTERM)
    assert process.wait(DEADLINE_S) == 0


def test_resources_are_applied_listed_replaced_and_deleted(client: Client) -> None:
    assert client.resources.apply(PROFILE).result == "created"
    assert client.resources.apply(PROFILE).result == "unchanged"
    found = client.resources.get(kinds.DEVICE_PROFILE, "default", "small")
    scope = Scope(selector="size=s")
    assert client.resources.list(kinds.DEVICE_PROFILE, scope).items == (found,)
    found["metadata"]["labels"] = {"size": "m"}
    client.resources.put(kinds.DEVICE_PROFILE, found)
    with pytest.raises(ConflictError):
        client.resources.put(kinds.DEVICE_PROFILE, found)
    assert client.resources.list(kinds.DEVICE_PROFILE, scope).items == ()
    client.resources.delete(kinds.DEVICE_PROFILE, "default", "small")
    with pytest.raises(NotFoundError):
        client.resources.get(kinds.DEVICE_PROFILE, "default", "small")


def test_a_watch_from_a_list_misses_nothing(client: Client) -> None:
    listing = client.resources.list(kinds.DEVICE_PROFILE, Scope())
    document = {**PROFILE, "metadata": {"name": "watched"}}
    client.resources.apply(document)
    change = next(client.resources.watch(kinds.DEVICE_PROFILE, Scope(), listing.version))
    assert (change.kind, change.resource["metadata"]["name"]) == ("ADDED", "watched")


def test_a_wrong_manifest_names_its_field_and_what_was_meant(client: Client) -> None:
    with pytest.raises(InvalidError) as caught:
        client.resources.apply({**PROFILE, "spec": {"budgt": {}}})
    problem = caught.value.problem
    assert (problem.reason, problem.field) == ("UnknownField", "spec.budgt")
    assert problem.hint == "did you mean budget?"


def test_a_file_is_uploaded_in_chunks_once(client: Client, tmp_path: Path) -> None:
    file = tmp_path / "big.npz"
    file.write_bytes(bytes(range(256)) * 40_000)
    digest = client.blobs.upload(file)
    assert digest == digests.of_file(file)
    assert client.blobs.has(digest)
    assert client.blobs.upload(file) == digest


def test_a_join_token_is_made(client: Client) -> None:
    made = client.create_token(TokenRequest(ttl="10m", uses=2, labels={"app": "reader"}))
    assert len(made["token"]) >= 32
    assert made["expires"].endswith("Z")


def test_rollouts_of_nothing_are_answered_in_the_one_shape(client: Client) -> None:
    with pytest.raises(NotFoundError):
        client.rollouts.act("default", "none", Verb.PAUSE)
    deployment = {
        "apiVersion": "shoal/v1",
        "kind": "Deployment",
        "metadata": {"name": "waiting"},
        "spec": {"model": "none", "selector": {"matchLabels": {"a": "b"}}},
    }
    assert len(client.resources.apply(deployment).warnings) == 2
    assert client.rollouts.revisions("default", "waiting") == []
    with pytest.raises(ProblemError) as caught:
        client.rollouts.act("default", "waiting", Verb.UNDO)
    assert caught.value.problem.message


def test_telemetry_and_version_answer(client: Client) -> None:
    assert client.telemetry(since_s=0.5) == {"deployments": {}}
    assert client.version()["version"]
