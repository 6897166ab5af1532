"""The client reads, writes and follows resources."""

from typing import Any

import pytest

from shoal.client import Client, errors, following, kinds
from shoal.client.errors import GoneError
from shoal.client.following import Deadline
from shoal.client.resources import Scope, version_of
from shoal.contract.problem import ConflictError, InvalidError, NotFoundError, UnreachableError
from tests.unit.client.api_server import ApiServer, serving


def a_device(name: str = "cam-1", **labels: str) -> dict[str, Any]:
    return {
        "apiVersion": "shoal/v1",
        "kind": "Device",
        "metadata": {"name": name, "namespace": "default", "labels": labels},
        "spec": {},
    }


def names(resources: tuple[dict[str, Any], ...]) -> list[str]:
    return [one["metadata"]["name"] for one in resources]


def test_a_list_reads_every_page(api: ApiServer, client: Client) -> None:
    for number in range(5):
        api.store(a_device(f"cam-{number}"))
    api.page_items = 2
    listing = client.resources.list(kinds.DEVICE, Scope())
    assert names(listing.items) == [f"cam-{number}" for number in range(5)]
    assert listing.version == 5


def test_a_list_is_narrowed_by_namespace_and_labels(api: ApiServer, client: Client) -> None:
    api.store(a_device("small", tier="small"))
    api.store(a_device("large", tier="large"))
    scope = Scope(namespace="default", selector="tier=small")
    assert names(client.resources.list(kinds.DEVICE, scope).items) == ["small"]
    assert not client.resources.list(kinds.DEVICE, Scope(namespace="other")).items


def test_what_does_not_exist_is_not_found(client: Client) -> None:
    with pytest.raises(NotFoundError, match="cam-9 does not exist"):
        client.resources.get(kinds.DEVICE, "default", "cam-9")


def test_a_stale_write_is_a_conflict(api: ApiServer, client: Client) -> None:
    api.store(a_device())
    first = client.resources.get(kinds.DEVICE, "default", "cam-1")
    client.resources.put(kinds.DEVICE, first)
    with pytest.raises(ConflictError):
        client.resources.put(kinds.DEVICE, first)


def test_apply_twice_changes_nothing(api: ApiServer, client: Client) -> None:
    api.warnings = ["the selector matches no device"]
    assert client.resources.apply(a_device()).result == "created"
    again = client.resources.apply(a_device())
    assert again.result == "unchanged"
    assert again.warnings == ("the selector matches no device",)


def test_a_dry_run_stores_nothing(api: ApiServer, client: Client) -> None:
    assert client.resources.apply(a_device(), dry_run=True).result == "created"
    assert not api.resources


def test_a_created_resource_can_be_deleted(api: ApiServer, client: Client) -> None:
    client.resources.create(kinds.DEVICE, a_device())
    client.resources.delete(kinds.DEVICE, "default", "cam-1")
    assert not api.resources


def test_a_watch_tells_changes_since_a_version(api: ApiServer, client: Client) -> None:
    api.store(a_device("before"))
    since = client.resources.list(kinds.DEVICE, Scope()).version
    api.store(a_device("after"))
    change = next(client.resources.watch(kinds.DEVICE, Scope(), since))
    assert (change.kind, change.resource["metadata"]["name"]) == ("ADDED", "after")


def test_changes_that_are_no_longer_kept_are_gone(api: ApiServer, client: Client) -> None:
    api.compacted = 7
    with pytest.raises(GoneError):
        next(client.resources.watch(kinds.DEVICE, Scope(), 3))


def test_following_goes_on_after_a_cut(api: ApiServer, client: Client) -> None:
    api.store(a_device("one"))
    stream = following.changes(client.resources, kinds.DEVICE, Scope(), Deadline.after(10))
    assert next(stream).resource["metadata"]["name"] == "one"
    api.store(a_device("two"))
    assert next(stream).resource["metadata"]["name"] == "two"
    api.end_watches()
    with api.changed:
        api.is_open = True
    api.remove(("Device", "default", "one"))
    change = next(stream)
    assert (change.kind, change.resource["metadata"]["name"]) == ("DELETED", "one")


def test_changes_end_when_the_deadline_passes(api: ApiServer, client: Client) -> None:
    api.store(a_device())
    stream = following.changes(client.resources, kinds.DEVICE, Scope(), Deadline.after(0.2))
    assert next(stream).kind == "ADDED"
    with pytest.raises(UnreachableError, match=r"for 0\.2 s") as caught:
        next(stream)
    assert caught.value.problem.reason == "TimedOut"


def test_a_controller_that_says_it_is_there_delays_no_deadline(
    api: ApiServer, client: Client
) -> None:
    api.store(a_device())
    api.pulse_s = 0.05
    key, soon = ("default", "cam-1"), Deadline.after(0.3)
    with pytest.raises(UnreachableError, match=r"after 0\.3 s"):
        list(following.versions(client.resources, kinds.DEVICE, key, soon))
    with pytest.raises(UnreachableError, match=r"for 0\.3 s"):
        list(following.changes(client.resources, kinds.DEVICE, Scope(), Deadline.after(0.3)))


def test_versions_end_when_the_deadline_passes(api: ApiServer, client: Client) -> None:
    api.store(a_device())
    key = ("default", "cam-1")
    stream = following.versions(client.resources, kinds.DEVICE, key, Deadline.after(0.2))
    assert next(stream)["metadata"]["name"] == "cam-1"
    with pytest.raises(UnreachableError) as caught:
        next(stream)
    assert caught.value.problem.reason == "TimedOut"


def test_versions_follow_a_resource_until_it_is_deleted(api: ApiServer, client: Client) -> None:
    api.store(a_device())
    stream = following.versions(
        client.resources, kinds.DEVICE, ("default", "cam-1"), Deadline.after(30)
    )
    assert version_of(next(stream)) == 1
    api.store(a_device(tier="small"))
    assert next(stream)["metadata"]["labels"] == {"tier": "small"}
    api.remove(("Device", "default", "cam-1"))
    with pytest.raises(NotFoundError, match="deleted"):
        next(stream)


def test_versions_wait_for_a_controller_that_went_away() -> None:
    with serving() as first:
        port = first.server_address[1]
        first.store(a_device())
        client = Client(first.address, timeout_s=10)
        stream = following.versions(
            client.resources, kinds.DEVICE, ("default", "cam-1"), Deadline.after(30)
        )
        next(stream)
    with serving(port) as second:
        second.store(a_device())
        second.store(a_device(tier="small"))
        assert next(stream)["metadata"]["labels"] == {"tier": "small"}
        client.close()


def test_nobody_there_says_where_and_what_to_start() -> None:
    with serving() as server:
        address = server.address
    with Client(address) as client, pytest.raises(UnreachableError) as caught:
        client.version()
    assert address in caught.value.problem.message
    assert "shoal serve" in str(caught.value.problem.hint)


@pytest.mark.parametrize("status", [200, 204, 302, 404])
def test_what_no_controller_answers_says_nothing_of_what_there_is(status: int) -> None:
    error = errors.from_answer(status, b"<html>", "GET /api/v1/namespaces/default/devices/a")
    assert isinstance(error, UnreachableError)
    assert error.problem.reason == "Unreachable"
    assert "--server" in str(error.problem.hint)


@pytest.mark.parametrize("address", ["ftp://x", "http://", "http://host:port", "http://[", ""])
def test_an_impossible_address_is_refused(address: str) -> None:
    with pytest.raises(InvalidError, match="not the address"):
        Client(address)


def test_a_bare_host_and_port_is_an_address() -> None:
    with Client("127.0.0.1:8470/") as client:
        assert client.server == "http://127.0.0.1:8470"


@pytest.mark.parametrize(
    ("text", "plural"),
    [("device", "devices"), ("Deployments", "deployments"), ("profile", "deviceprofiles")],
)
def test_kinds_have_many_names(text: str, plural: str) -> None:
    assert kinds.named(text).plural == plural


def test_a_misspelt_kind_is_answered_with_the_nearest() -> None:
    with pytest.raises(InvalidError) as caught:
        kinds.named("devcies")
    assert caught.value.problem.hint == "did you mean devices?"
