from pathlib import Path

import pytest

from shoal.contract.problem import InvalidError, NotFoundError
from shoal.controller.settings import ConfigFile, Settings, default_data, settle


def test_without_anything_the_defaults_of_the_contract_hold(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert settle(None, {"data": None}) == Settings(
        data=tmp_path / "shoal",
        database=tmp_path / "shoal" / "shoal.db",
        listen="127.0.0.1:8470",
        listen_devices="127.0.0.1:8471",
        mqtt="auto",
        mqtt_listen="127.0.0.1:1883",
        telemetry_window_s=10.0,
        heartbeat_s=30.0,
        retention_s=7 * 86_400.0,
        root_path="",
    )
    monkeypatch.delenv("XDG_DATA_HOME")
    assert default_data() == Path.home() / ".local" / "share" / "shoal"


def test_options_win_over_the_file_and_the_file_over_defaults(tmp_path: Path) -> None:
    config = tmp_path / "shoal.yaml"
    config.write_text("data: /srv/a\nlisten: 127.0.0.1:1\nmqttListen: 127.0.0.1:2\nheartbeat: 5s\n")
    settings = settle(config, {"data": "/srv/b", "mqtt": "off", "mqtt_listen": None})
    assert (settings.data, settings.listen) == (Path("/srv/b"), "127.0.0.1:1")
    assert (settings.mqtt, settings.mqtt_listen) == ("off", "127.0.0.1:2")
    assert (settings.heartbeat_s, settings.telemetry_window_s) == (5.0, 10.0)


def test_an_empty_file_says_nothing(tmp_path: Path) -> None:
    config = tmp_path / "shoal.yaml"
    config.write_text("# nothing\n")
    assert settle(config, {"data": "/srv/a"}).mqtt == "auto"


def test_the_database_may_lie_elsewhere() -> None:
    settings = settle(None, {"data": "/srv/a", "store": "sqlite:////var/shoal.db"})
    assert settings.database == Path("/var/shoal.db")


def test_a_missing_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        settle(tmp_path / "none.yaml", {})


@pytest.mark.parametrize(
    ("text", "reason", "field"),
    [
        ("listn: x", "UnknownField", "listn"),
        ("listen: 3", "Invalid", "listen"),
        ("heartbeat: soon", "Invalid", "heartbeat"),
        ("heartbeat: 0s", "Invalid", "heartbeat"),
        ("[]", "Invalid", "--config"),
        ("a: b: c", "Invalid", "--config"),
        ("store: postgresql://x/y", "NotBuiltYet", "--store"),
        ("store: mysql://x", "Invalid", "--store"),
    ],
)
def test_a_wrong_file_is_refused_by_field(
    tmp_path: Path, text: str, reason: str, field: str
) -> None:
    config = tmp_path / "shoal.yaml"
    config.write_text(text)
    with pytest.raises(InvalidError) as caught:
        settle(config, {})
    assert (caught.value.problem.reason, caught.value.problem.field) == (reason, field)


def test_a_misspelt_field_is_answered_with_the_nearest(tmp_path: Path) -> None:
    config = tmp_path / "shoal.yaml"
    config.write_text("telemetrywindow: 1s")
    with pytest.raises(InvalidError) as caught:
        settle(config, {})
    assert caught.value.problem.hint == "did you mean telemetryWindow?"
    assert "telemetry_window" in ConfigFile.model_fields


@pytest.mark.parametrize(("given", "kept"), [("/shoal", "/shoal"), ("/a/b/", "/a/b"), ("/", "")])
def test_a_root_path_is_a_path_without_a_last_slash(given: str, kept: str) -> None:
    assert settle(None, {"data": "/srv/a", "root_path": given}).root_path == kept


@pytest.mark.parametrize("wrong", ["shoal", "/a//b", "/a b", "http://x/y"])
def test_what_is_no_root_path_is_refused(wrong: str) -> None:
    with pytest.raises(InvalidError, match="is not a path such as"):
        settle(None, {"data": "/srv/a", "root_path": wrong})
