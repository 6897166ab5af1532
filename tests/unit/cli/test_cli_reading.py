"""get, describe, events, explain, version: what they print, in every output."""

import pytest
import yaml

from tests.unit.cli import fleet
from tests.unit.cli.conftest import Shoal
from tests.unit.client.api_server import ApiServer


def test_a_table_says_what_runs(api: ApiServer, shoal: Shoal) -> None:
    api.store(fleet.a_device())
    ran = shoal("get", "devices")
    titles, row = ran.out.splitlines()
    assert titles.split() == ["NAME", "READY", "PROFILE", "RUNNING", "LINK", "SEEN"]
    assert row.split()[:5] == ["cam-1", "True", "camera-small", "digits#3", "mqtt"]


@pytest.mark.parametrize("kind", ["devices", "models", "deployments", "deviceprofiles", "events"])
@pytest.mark.parametrize("scope", [[], ["-A"]])
def test_tables_fit_80_columns(api: ApiServer, shoal: Shoal, kind: str, scope: list[str]) -> None:
    long = "a-very-long-name-" * 3 + "end"
    api.store(fleet.a_device(long))
    api.store(fleet.a_model(long))
    api.store(fleet.a_deployment(message="why " * 40))
    api.store(fleet.an_event(long))
    api.store(fleet.a_resource("DeviceProfile", long, {"priority": 0, "budget": {}}))
    ran = shoal("get", kind, *scope)
    assert ran.code == 0
    assert ran.out
    assert max(len(line) for line in ran.out.splitlines()) <= 80


def test_wide_tables_cut_nothing(api: ApiServer, shoal: Shoal) -> None:
    message = "why " * 40
    api.store(fleet.a_deployment(message=message))
    assert message.strip() in shoal("get", "deployments", "-o", "wide").out


def test_json_is_one_document(api: ApiServer, shoal: Shoal) -> None:
    api.store(fleet.a_device())
    listed = shoal("get", "devices", "-o", "json").json
    assert listed["continue"] is None
    assert [item["metadata"]["name"] for item in listed["items"]] == ["cam-1"]
    assert shoal("get", "device", "cam-1", "-o", "json").json == listed["items"][0]
    assert shoal("get", "device/cam-1", "-ojson").json == listed["items"][0]


def test_yaml_and_names(api: ApiServer, shoal: Shoal) -> None:
    api.store(fleet.a_device())
    assert yaml.safe_load(shoal("get", "device", "cam-1", "-o", "yaml").out)["kind"] == "Device"
    assert shoal("get", "devices", "-o", "name").out == "device/cam-1\n"


def test_several_names_are_a_list(api: ApiServer, shoal: Shoal) -> None:
    for name in ("cam-1", "cam-2", "cam-3"):
        api.store(fleet.a_device(name))
    listed = shoal("get", "devices", "cam-3", "cam-1", "-o", "json").json
    assert [item["metadata"]["name"] for item in listed["items"]] == ["cam-3", "cam-1"]


def test_a_page_names_the_next_one(api: ApiServer, shoal: Shoal) -> None:
    api.page_items = 2
    for number in range(5):
        api.store(fleet.a_device(f"cam-{number}"))
    first = shoal("get", "devices", "--limit", "3", "-o", "json").json
    assert [one["metadata"]["name"] for one in first["items"]] == ["cam-0", "cam-1", "cam-2"]
    rest = shoal("get", "devices", "--continue", first["continue"], "-o", "json").json
    assert [one["metadata"]["name"] for one in rest["items"]] == ["cam-3", "cam-4"]
    assert rest["continue"] is None
    table = shoal("get", "devices", "--limit", "1")
    assert len(table.out.splitlines()) == 2
    assert table.err == "there is more: --continue 1\n"


def test_a_field_selector_goes_to_the_controller(api: ApiServer, shoal: Shoal) -> None:
    assert shoal("get", "devices", "--field-selector", "status.profile=small").code == 0
    assert "fieldSelector=status.profile%3Dsmall" in api.requests[-1]


def test_a_selector_narrows(api: ApiServer, shoal: Shoal) -> None:
    api.store(fleet.a_device("small", tier="small"))
    api.store(fleet.a_device("large", tier="large"))
    assert shoal("get", "devices", "-l", "tier=small", "-o", "name").out == "device/small\n"


def test_all_namespaces_have_a_column(api: ApiServer, shoal: Shoal) -> None:
    api.store(fleet.a_device())
    assert shoal("get", "devices", "-A").out.split()[0] == "NAMESPACE"
    assert shoal("-A", "get", "devices").out.split()[0] == "NAMESPACE"


def test_nothing_found_is_said_beside_the_data(shoal: Shoal) -> None:
    ran = shoal("get", "devices", "-n", "lab")
    assert (ran.code, ran.out) == (0, "")
    assert "namespace lab" in ran.err


def test_what_does_not_exist_exits_3(shoal: Shoal) -> None:
    ran = shoal("get", "device", "cam-9", "-o", "json")
    assert ran.code == 3
    assert ran.json["error"]["reason"] == "NotFound"


def test_every_column_can_be_read_from_an_empty_resource(api: ApiServer, shoal: Shoal) -> None:
    for kind in ("Device", "DeviceProfile", "Model", "Variant", "Deployment", "Event"):
        api.store(fleet.a_resource(kind, "bare", {}))
        ran = shoal("get", f"{kind}s", "-o", "wide")
        assert ran.code == 0
        assert len(ran.out.splitlines()) == 2


def test_a_deployment_is_described_with_its_evidence(api: ApiServer, shoal: Shoal) -> None:
    api.store(fleet.a_deployment())
    api.store(fleet.an_event("bad"))
    out = shoal("describe", "deployment", "digits").out
    assert "canary: 3 devices, failed  Confirmed=3" in out
    assert (
        "accuracy fail, value 0.12, baseline 0.98, limit 0.05, samples 360, "
        "interval 0.81 to 0.9, cohort small: the candidate loses 0.86"
    ) in out
    assert "cam-7: Failed [LoadFailed]\n      line one\n      line two" in out
    assert "GateFailed: what bad says (2 times)" in out


def test_a_model_is_described_with_its_choices(api: ApiServer, shoal: Shoal) -> None:
    api.store(fleet.a_model())
    out = shoal("describe", "model/digits").out
    assert "camera-small: ab12ab12ab12  20 KiB  score 0.9800" in out
    assert (
        "camera-tiny: no feasible variant; nearest: artifact is 12 KiB at best, the limit is 10 KiB"
        in out
    )


def test_a_device_is_described_with_its_conditions(api: ApiServer, shoal: Shoal) -> None:
    api.store(fleet.a_device())
    out = shoal("describe", "device", "cam-1").out
    assert "default/digits: digits, revision 3, ab12ab12ab12" in out
    assert "Enrolled: it reports" in out
    assert "default/digits: Failed [LoadFailed] the session did not start" in out


@pytest.mark.parametrize("kind", ["Device", "DeviceProfile", "Model", "Variant", "Deployment"])
def test_a_bare_resource_can_be_described(api: ApiServer, shoal: Shoal, kind: str) -> None:
    api.store(fleet.a_resource(kind, "bare", {}))
    ran = shoal("describe", kind, "bare")
    assert ran.code == 0
    assert ran.out.startswith(f"{kind} bare\n")


def test_a_description_is_data_too(api: ApiServer, shoal: Shoal) -> None:
    api.store(fleet.a_deployment())
    api.store(fleet.an_event("bad"))
    described = shoal("describe", "deployment", "digits", "-o", "json").json
    assert [one["metadata"]["name"] for one in described["events"]] == ["bad"]


def test_events_are_ordered_and_filtered(api: ApiServer, shoal: Shoal) -> None:
    api.store(fleet.an_event("late", time="2026-01-02T05:00:00Z"))
    api.store(fleet.an_event("early", time="2026-01-02T04:00:00Z", type_="Warning"))
    listed = shoal("events", "-o", "json").json["items"]
    assert [one["metadata"]["name"] for one in listed] == ["early", "late"]
    assert shoal("get", "events", "-o", "json").json["items"] == listed
    assert shoal("events", "--warnings", "-o", "name").out == "event/early\n"
    assert "deployment/digits" in shoal("events").out


def test_explain_needs_no_controller(shoal: Shoal) -> None:
    out = shoal("--server", "127.0.0.1:1", "explain", "deployment.spec.strategy.gates").out
    assert "maxDrop" in out
    explained = shoal("explain", "model.spec.quality", "-o", "json").json
    assert {"name", "type", "description", "required", "default", "has_fields"} <= set(
        explained["fields"][0]
    )
    assert "model.spec.quality.metric\n" in shoal("explain", "model.spec.quality", "-o", "name").out


@pytest.mark.parametrize(
    "line", ["-w --limit 2", "-w --continue x", "cam-1 -l a=b", "cam-1 --limit 1"]
)
def test_options_that_would_be_ignored_are_refused(shoal: Shoal, line: str) -> None:
    ran = shoal("get", "devices", *line.split(), "-o", "json")
    assert (ran.code, ran.json["error"]["reason"]) == (2, "Invalid")


@pytest.mark.parametrize(
    ("what", "meant"), [("deployment.spec.stratgy", "strategy"), ("deploymnt", "Deployment")]
)
def test_explain_of_an_unknown_word_says_the_nearest(shoal: Shoal, what: str, meant: str) -> None:
    ran = shoal("explain", what, "-o", "json")
    assert ran.code == 2
    assert ran.json["error"]["hint"] == f"did you mean {meant}?"


def test_versions_of_both_sides(shoal: Shoal) -> None:
    assert shoal("version", "-o", "json").json["controller"]["version"] == "9.9.9"
    ran = shoal("version", "--server", "127.0.0.1:1")
    assert ran.code == 0
    assert "controller not reachable" in ran.out
